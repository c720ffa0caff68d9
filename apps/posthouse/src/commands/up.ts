import { resolve } from "node:path";
import type { Command } from "../command.ts";
import { welcome } from "../up/welcome.ts";

export const upCommand: Command = {
  name: "up",
  summary: "Starts a Manager, an agent and a demo site in one process, to try everything. Ctrl-C stops them.",
  positionals: [],
  options: {
    state: { value: "DIR", default: "./.posthouse", help: "where everything is kept" },
    "manager-port": { value: "PORT", default: "8080", help: "the Manager" },
    "site-port": { value: "PORT", default: "8000", help: "the demo site" },
    "admin-port": { value: "PORT", default: "9400", help: "the agent's metrics and status" },
    verbose: { help: "log what happens, not only what goes wrong" },
  },
  examples: ["posthouse up", "posthouse up --site-port 8001 --state /tmp/try"],
  async run(args) {
    const [{ runUntilSignal }, { createProcessLog }, { createUp }] = await Promise.all([
      import("@posthouse/service"),
      import("../process-log.ts"),
      import("../up/up.ts"),
    ]);
    const log = createProcessLog({ level: args.flag("verbose") ? "info" : "warn" });
    const up = createUp(
      {
        state: resolve(args.required("state")),
        managerPort: args.port("manager-port"),
        sitePort: args.port("site-port"),
        adminPort: args.port("admin-port"),
      },
      log,
    );
    return runUntilSignal([up], {
      log,
      stopDeadlineMs: 4000,
      onStarted: () => process.stdout.write(welcome(up.addresses())),
    });
  },
};
