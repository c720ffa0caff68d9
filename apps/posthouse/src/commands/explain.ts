import type { Arguments, Command } from "../command.ts";
import { commandErrors } from "../errors.ts";
import type { ExplainedRequest } from "../explain/explained-request.ts";

export const explainCommand: Command = {
  name: "explain",
  summary: "Says which rule answers a URL, which nearly did, and why not.",
  details: [
    "With -c it goes the way of a request: the host chooses a site's project, and the project's rules answer. Rules are the copy in the agent's state directory, or what the Manager has (--fetch, or when there is no copy), or the project's rule file. With --rules it asks one rule file, and needs no configuration.",
    "The URL is compared as it stands: path, query and letter case count. A path alone works too, with --host for rules that name one. Nothing is sent to the URL, and no agent is disturbed.",
    "Rules that came near are those that differ in host, query, letter case or a slash at the end, those that match too but come later, and those left out for an error.",
  ],
  positionals: [{ name: "URL", help: "https://shop.example.com/old?x=1, or a path" }],
  options: {
    config: { short: "c", value: "FILE", help: "the agent's configuration" },
    rules: { value: "FILE", help: "a rule file, in place of a configuration" },
    format: { value: "FORMAT", help: "of the rule file, where its name does not tell" },
    compat: { value: "flecto", help: "with --rules: answer as Flecto's agents do" },
    project: { value: "NAME", help: "this project, whatever the host" },
    host: { value: "HOST", help: "the Host header, in place of the URL's" },
    method: { value: "METHOD", default: "GET", help: "the request's method" },
    fetch: { help: "ask the Manager, even with a copy at hand" },
    json: { help: "print it as JSON" },
  },
  examples: [
    "posthouse explain https://shop.example.com/old -c posthouse.yaml",
    "posthouse explain /old?x=1 --rules _redirects",
  ],
  async run(args) {
    const explained = await explainUrl(args);
    if (args.flag("json")) process.stdout.write(`${JSON.stringify(explained, null, 2)}\n`);
    else {
      const { explanationText } = await import("../explain/explanation-text.ts");
      process.stdout.write(explanationText(explained));
    }
    return 0;
  },
};

async function explainUrl(args: Arguments): Promise<ExplainedRequest> {
  const [url = ""] = args.positionals;
  const [file, rules] = [args.text("config"), args.text("rules")];
  if ((file === undefined) === (rules === undefined)) {
    throw commandErrors.create("USAGE", {
      problem: "give the agent's configuration with -c FILE, or a rule file with --rules FILE",
      command: "explain",
    });
  }
  const [{ readAskedRequest }, { explainRequest }] = await Promise.all([
    import("../explain/asked-request.ts"),
    import("../explain/explained-request.ts"),
  ]);
  const asked = readAskedRequest(url, { method: args.required("method"), host: args.text("host") });
  if (file === undefined) {
    const { loadRuleFile } = await import("../explain/project-rules.ts");
    const compat = args.choice("compat", ["flecto"]);
    const format = args.text("format");
    return explainRequest(asked, await loadRuleFile(rules ?? "", { format, rules: { compat } }));
  }
  const [{ loadAgentConfig }, { chooseProject }, { loadProjectRules }] = await Promise.all([
    import("@posthouse/agent"),
    import("../explain/chosen-project.ts"),
    import("../explain/project-rules.ts"),
  ]);
  const config = await loadAgentConfig(file);
  const { listen, name } = chooseProject(config, { host: asked.host, name: args.text("project"), file });
  if (name === undefined) {
    const hosts = config.sites.flatMap((site) => site.hosts.flatMap(({ match }) => match));
    return { request: asked, answer: null, near: [], hosts };
  }
  const loaded = await loadProjectRules(config, name, { fetch: args.flag("fetch") });
  return { ...explainRequest(asked, loaded), site: listen, project: name };
}
