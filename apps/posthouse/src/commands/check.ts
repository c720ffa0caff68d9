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
    const { describeConfig } = await import("@posthouse/service");
    const config = args.flag("manager") ? await loadManagerConfig(file) : await loadAgentConfig(file);
    process.stdout.write(`${file}: no problem found\n`);
    if (args.flag("print")) {
      const { stringify } = await import("yaml");
      process.stdout.write(stringify(describeConfig(config)));
    }
    return 0;
  },
};

async function loadAgentConfig(file: string): Promise<unknown> {
  return (await import("@posthouse/agent")).loadAgentConfig(file);
}

async function loadManagerConfig(file: string): Promise<unknown> {
  const [{ managerConfigSchema }, { loadConfig }] = await Promise.all([
    import("@posthouse/manager"),
    import("@posthouse/service"),
  ]);
  return loadConfig(file, managerConfigSchema);
}
