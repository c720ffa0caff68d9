import type { Command } from "../command.ts";

export const resetPasswordCommand: Command = {
  name: "manager reset-password",
  summary: "Gives an administrator who lost the password a new one-time password. Stop the Manager first.",
  positionals: [],
  options: {
    config: { short: "c", value: "FILE", help: "the Manager's configuration file; without it, the defaults" },
    user: { value: "NAME", help: "whose; without it, the first administrator's" },
  },
  examples: ["posthouse manager reset-password -c manager.yaml"],
  async run(args) {
    const file = args.text("config");
    const [{ managerConfigSchema, resetPassword }, { loadConfig }] = await Promise.all([
      import("@posthouse/manager"),
      import("@posthouse/service"),
    ]);
    const config =
      file === undefined ? managerConfigSchema.parse({}) : await loadConfig(file, managerConfigSchema);
    const { username, password } = await resetPassword(config, args.text("user"));
    process.stdout.write(`${username}, one-time password ${password}\n`);
    return 0;
  },
};
