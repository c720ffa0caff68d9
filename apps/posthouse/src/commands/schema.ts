import type { Command } from "../command.ts";

export const schemaCommand: Command = {
  name: "schema",
  summary: "Prints the JSON Schema of the configuration file, for editors.",
  positionals: [],
  options: { manager: { help: "the Manager's configuration instead of the agent's" } },
  examples: ["posthouse schema > posthouse.schema.json"],
  async run(args) {
    const { configJsonSchema } = await import("@posthouse/service");
    const schema = args.flag("manager")
      ? configJsonSchema((await import("@posthouse/manager")).managerConfigSchema, "Posthouse Manager")
      : configJsonSchema((await import("@posthouse/agent")).agentConfigSchema, "Posthouse agent");
    process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
    return 0;
  },
};
