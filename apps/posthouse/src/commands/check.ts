import type { AgentConfig } from "@posthouse/agent";
import type { Arguments, Command } from "../command.ts";
import { commandErrors } from "../errors.ts";
import type { ReadRulesOptions } from "../rule-file/rule-file.ts";

export const checkCommand: Command = {
  name: "check",
  summary:
    "Validates a configuration, or a file of rules: exit code 0, or 2 with every problem and its place.",
  details: [
    "With -c: the configuration, every key of it, the certificates, error pages, access logs, flag file and file of subscriptions that it names (run it as the user that runs the agent), and the rule files of its projects. Whether another process has an address shows at the start only. With --rules: one file of redirects and pages, before it is imported or given to an agent.",
    "Of rules it tells errors (a Manager refuses them, an agent leaves out what it cannot serve) and warnings: targets that a request can lead to another site, patterns that match everything or nothing, and what Flecto's agents treat otherwise. Warnings alone leave the exit code at 0.",
  ],
  positionals: [],
  options: {
    config: { short: "c", value: "FILE", help: "the configuration file" },
    rules: { value: "FILE", help: "a rule file: .yaml, .json, .tsv, .csv or _redirects, plain or .gz" },
    format: { value: "FORMAT", help: "of the rule file, where its name does not tell" },
    manager: { help: "it is a Manager's configuration, not an agent's" },
    print: { help: "also print the effective configuration, secrets hidden" },
  },
  examples: [
    "posthouse check -c /etc/posthouse.yaml",
    "posthouse check --rules redirects.tsv",
    "posthouse check -c manager.yaml --manager --print",
  ],
  async run(args) {
    const [config, rules] = [args.text("config"), args.text("rules")];
    if (config === undefined && rules === undefined) {
      const problem = "give a configuration with -c FILE, or a rule file with --rules FILE";
      throw commandErrors.create("USAGE", { problem, command: "check" });
    }
    const files = config === undefined ? [] : await checkConfig(config, args);
    if (rules !== undefined) files.push({ file: rules, options: { format: args.text("format") } });
    let errors = 0;
    for (const { file, options } of files) errors += await checkRules(file, options);
    return errors === 0 ? 0 : 2;
  },
};

interface RuleFileToCheck {
  readonly file: string;
  readonly options: ReadRulesOptions;
}

/** The rule files that it names. Throws CONFIG_… errors. */
async function checkConfig(file: string, args: Arguments): Promise<RuleFileToCheck[]> {
  const { describeConfig, serviceErrors } = await import("@posthouse/service");
  const agent = args.flag("manager") ? undefined : await loadAgentConfig(file);
  const config = agent ?? (await loadManagerConfig(file));
  const problems = agent === undefined ? [] : await checkFiles(agent);
  if (problems.length > 0) throw serviceErrors.create("CONFIG_INVALID", { problems: problems.join("\n") });
  process.stdout.write(`${file}: no problem found\n`);
  if (args.flag("print")) {
    const { stringify } = await import("yaml");
    process.stdout.write(stringify(describeConfig(config)));
  }
  return Object.values(agent?.projects ?? {}).flatMap(({ file: rules, limits }) =>
    rules === undefined ? [] : [{ file: rules, options: { patternSize: limits.pattern_size } }],
  );
}

/** What is wrong with the files that it names: certificates, pages, logs, flags. */
async function checkFiles(config: AgentConfig): Promise<string[]> {
  const { checkConfigFiles } = await import("@posthouse/agent");
  const problems = await checkConfigFiles(config);
  return [...new Set(problems.map(({ message, code }) => `${message} [${code}]`))];
}

/** Prints what is wrong with a rule file; how many errors there were. */
async function checkRules(file: string, options: ReadRulesOptions): Promise<number> {
  const [{ checkRuleFile }, { checkText }] = await Promise.all([
    import("../check/rule-check.ts"),
    import("../check/check-text.ts"),
  ]);
  const result = await checkRuleFile(file, options);
  process.stdout.write(checkText(result));
  return result.problems.filter(({ severity }) => severity === "error").length;
}

async function loadAgentConfig(file: string): Promise<AgentConfig> {
  return (await import("@posthouse/agent")).loadAgentConfig(file);
}

async function loadManagerConfig(file: string): Promise<unknown> {
  const [{ managerConfigSchema }, { loadConfig }] = await Promise.all([
    import("@posthouse/manager"),
    import("@posthouse/service"),
  ]);
  return loadConfig(file, managerConfigSchema);
}
