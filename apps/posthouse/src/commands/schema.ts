import { agentConfigSchema } from "@posthouse/agent";
import { managerConfigSchema } from "@posthouse/manager";
import { configJsonSchema } from "@posthouse/service";
import type { Command } from "../command.ts";

export const schemaCommand: Command = {
  name: "schema",
  summary: "Prints the JSON Schema of the configuration file, for editors.",
  positionals: [],
  options: { manager: { help: "the Manager's configuration instead of the agent's" } },
  examples: ["posthouse schema > posthouse.schema.json"],
  async run(args) {
    const schema = args.flag("manager")
      ? configJsonSchema(managerConfigSchema, "Posthouse Manager")
      : configJsonSchema(agentConfigSchema, "Posthouse agent");
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return 0;
  },
};
