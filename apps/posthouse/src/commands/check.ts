import { loadAgentConfig } from "@posthouse/agent";
import { managerConfigSchema } from "@posthouse/manager";
import { describeConfig, loadConfig } from "@posthouse/service";
import { stringify } from "yaml";
import type { Command } from "../command.ts";

export const checkCommand: Command = {
  name: "check",
  summary: "Validates a configuration file: exit code 0, or 2 with every problem and its place.",
  positionals: [],
  options: {
    config: { short: "c", value: "FILE", help: "needed: the configuration file" },
    manager: { help: "it is a Manager's configuration, not an agent's" },
    print: { help: "also print the effective configuration, secrets hidden" },
  },
  examples: ["posthouse check -c /etc/posthouse.yaml", "posthouse check -c manager.yaml --manager --print"],
  async run(args) {
    const file = args.required("config");
    const config = args.flag("manager")
      ? await loadConfig(file, managerConfigSchema)
      : await loadAgentConfig(file);
    process.stdout.write(`${file}: no problem found\n`);
    if (args.flag("print")) process.stdout.write(stringify(describeConfig(config)));
    return 0;
  },
};
