import type { Command } from "../command.ts";
import { commandErrors } from "../errors.ts";

export const agentCommand: Command = {
  name: "agent",
  summary:
    "Runs the agent. SIGHUP or a changed file reloads the configuration; a broken one changes nothing.",
  details: [
    "In the place of FeatBit Agent it needs no file: without -c it reads FeatBit Agent's environment variables (Mode, ApiKey, AgentId, StreamingUri, ForwardEvents, EventUri, Streaming__TokenExpirySeconds, ASPNETCORE_URLS, in any case), and appsettings.json in the working directory. It listens on port 6100 then, and keeps its copies in POSTHOUSE_STATE, by default ./state.",
    "Nor in the place of Leek's agent: LEEK_AGENT_SUBSCRIPTIONS, LEEK_ENABLE_AGENT, LEEK_ENABLE_API, LEEK_API_ENABLE_AUTH, LEEK_AGENT_API_SECRET, LEEK_AGENT_LOG_LEVEL. Its state is in POSTHOUSE_STATE, its admin address POSTHOUSE_ADMIN_LISTEN (default 127.0.0.1:9400), the token of that POSTHOUSE_ADMIN_TOKEN.",
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
    if (file === undefined) {
      const code = await runInPlaceOfFeatbit();
      if (code !== undefined) return code;
    }
    const [
      { createAgent, fileFingerprint, loadAgentConfig, readEnvironmentConfig, watchConfig },
      { runUntilSignal },
      { createProcessLog, logSettings },
    ] = await Promise.all([
      import("@posthouse/agent"),
      import("@posthouse/service"),
      import("../process-log.ts"),
    ]);
    const seen = file === undefined ? "" : await fileFingerprint(file);
    const first = file === undefined ? readEnvironmentConfig(process.env) : await loadAgentConfig(file);
    if (first === undefined)
      throw commandErrors.create("USAGE", { problem: "--config is missing", command: "agent" });
    let config = first;
    const log = createProcessLog(config.log);
    if (file === undefined) return runUntilSignal([createAgent(config, { log })], { log });
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

/** Undefined when there are no settings of FeatBit Agent. */
async function runInPlaceOfFeatbit(): Promise<number | undefined> {
  const { readFeatbitDropIn } = await import("../featbit-drop-in.ts");
  const found = await readFeatbitDropIn(process.env, process.cwd());
  if (found === undefined) return undefined;
  const [{ createAgent }, { runUntilSignal }, { createProcessLog }] = await Promise.all([
    import("@posthouse/agent"),
    import("@posthouse/service"),
    import("../process-log.ts"),
  ]);
  const log = createProcessLog(found.config.log);
  for (const warning of found.warnings) log.warn({}, warning);
  return runUntilSignal([createAgent(found.config, { log })], { log });
}
