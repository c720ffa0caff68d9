import type { Command } from "../command.ts";

export const managerCommand: Command = {
  name: "manager",
  summary: "Runs the Manager. The first start prints the administrator's one-time password.",
  positionals: [],
  options: {
    config: { short: "c", value: "FILE", help: "the configuration file; without it, the defaults" },
  },
  examples: ["posthouse manager -c manager.yaml"],
  async run(args) {
    const file = args.text("config");
    const [{ createManager, managerConfigSchema }, { loadConfig, runUntilSignal }, { createProcessLog }] =
      await Promise.all([
        import("@posthouse/manager"),
        import("@posthouse/service"),
        import("../process-log.ts"),
      ]);
    const config =
      file === undefined ? managerConfigSchema.parse({}) : await loadConfig(file, managerConfigSchema);
    const log = createProcessLog(config.log);
    const manager = createManager(config, { log });
    return runUntilSignal([manager], {
      log,
      onStarted() {
        if (manager.firstLogin === undefined) return;
        const { username, password } = manager.firstLogin;
        process.stderr.write(`First log-in: ${username}, one-time password ${password}\n`);
      },
    });
  },
};
