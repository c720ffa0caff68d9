import type { Command } from "../command.ts";

export const agentCommand: Command = {
  name: "agent",
  summary:
    "Runs the agent. SIGHUP or a changed file reloads the configuration; a broken one changes nothing.",
  positionals: [],
  options: { config: { short: "c", value: "FILE", help: "needed: the configuration file" } },
  examples: ["posthouse agent -c /etc/posthouse.yaml"],
  async run(args) {
    const file = args.required("config");
    const [
      { createAgent, loadAgentConfig, watchConfig },
      { runUntilSignal },
      { createProcessLog, logSettings },
    ] = await Promise.all([
      import("@posthouse/agent"),
      import("@posthouse/service"),
      import("../process-log.ts"),
    ]);
    const config = await loadAgentConfig(file);
    const log = createProcessLog(config.log);
    const agent = createAgent(config, { log, configPath: file });
    const watcher = watchConfig(file, {
      log,
      onChange: async () => {
        const next = await loadAgentConfig(file);
        await agent.reload(next);
        log.change(logSettings(next.log));
      },
    });
    return runUntilSignal([agent, watcher], { log });
  },
};
