import type { Command } from "../command.ts";
import { commandErrors } from "../errors.ts";

export const agentCommand: Command = {
  name: "agent",
  summary:
    "Runs the agent. SIGHUP or a changed file reloads the configuration; a broken one changes nothing.",
  details: [
    "In the place of FeatBit Agent it needs no file: without -c it reads FeatBit Agent's environment variables (Mode, ApiKey, AgentId, StreamingUri, ForwardEvents, EventUri, Streaming__TokenExpirySeconds, ASPNETCORE_URLS, in any case), and appsettings.json in the working directory. It listens on port 6100 then, and keeps its copies in POSTHOUSE_STATE, by default ./state.",
    "Nor in the place of Leek's agent: LEEK_AGENT_SUBSCRIPTIONS, LEEK_ENABLE_AGENT, LEEK_ENABLE_API, LEEK_API_ENABLE_AUTH, LEEK_AGENT_API_SECRET, LEEK_AGENT_LOG_LEVEL. Its state is in POSTHOUSE_STATE, its admin address POSTHOUSE_ADMIN_LISTEN (default 127.0.0.1:9400), the token of that POSTHOUSE_ADMIN_TOKEN. With the variables of both, one agent does the work of both.",
  ],
  positionals: [],
  options: {
    config: {
      short: "c",
      value: "FILE",
      help: "the configuration file; in the place of FeatBit Agent or Leek's agent none is needed",
    },
  },
  examples: ["posthouse agent -c /etc/posthouse.yaml"],
  async run(args) {
    const file = args.text("config");
    if (file === undefined) return runWithoutFile();
    const [
      { createAgent, fileFingerprint, loadAgentConfig, watchConfig },
      { runUntilSignal },
      { createProcessLog, logSettings },
    ] = await Promise.all([
      import("@posthouse/agent"),
      import("@posthouse/service"),
      import("../process-log.ts"),
    ]);
    const seen = await fileFingerprint(file);
    let config = await loadAgentConfig(file);
    const log = createProcessLog(config.log);
    const agent = createAgent(config, { log, configPath: file });
    const watcher = watchConfig(file, {
      log,
      seen,
      onChange: async () => {
        // The agent tells by itself why it goes on with the old one.
        const next = await agent.reload(() => loadAgentConfig(file)).catch(() => undefined);
        if (next === undefined) return;
        config = next;
        log.change(logSettings(next.log));
      },
    });
    return runUntilSignal([agent, watcher], { log, stopDeadlineMs: () => config.drain.stop });
  },
};

async function runWithoutFile(): Promise<number> {
  const [
    { readSurroundings },
    { createAgent, doubtfulLeekVariables },
    { runUntilSignal },
    { createProcessLog },
  ] = await Promise.all([
    import("../surroundings.ts"),
    import("@posthouse/agent"),
    import("@posthouse/service"),
    import("../process-log.ts"),
  ]);
  const found = await readSurroundings(process.env, process.cwd());
  if (found === undefined) {
    const problem = ["--config is missing", ...doubtfulLeekVariables(process.env)].join("; ");
    throw commandErrors.create("USAGE", { problem, command: "agent" });
  }
  const { config, warnings } = found;
  const log = createProcessLog(config.log);
  for (const warning of warnings) log.warn({}, warning);
  return runUntilSignal([createAgent(config, { log })], { log, stopDeadlineMs: () => config.drain.stop });
}
