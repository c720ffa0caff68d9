import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { configJsonSchema, describeConfig, parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { agentConfigSchema, loadAgentConfig } from "../src/index.ts";

const manager = "{ url: http://127.0.0.1:8080, namespace: production, project: shop, token: t }";
const complete = `
name: web-1
state: /var/lib/posthouse
admin: { token: "" }
projects:
  shop: { manager: ${manager}, compat: flecto }
sites:
  - listen: 0.0.0.0:8000
    hosts:
      - { match: [shop.example.com, "*.shop.example.com"], project: shop }
      - { match: ["*"], project: shop }
`;

const parse = (text: string) => parseConfig(text, "posthouse.yaml", agentConfigSchema, {});

function problems(text: string): string[] {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message
      .split("\n")
      .map((line) => line.replace(/^posthouse\.yaml:\d+:\d+ {2}/, ""));
  }
  return [];
}

const withHosts = (hosts: string): string =>
  `state: s\nprojects: { shop: { manager: ${manager} } }\nsites: [{ listen: ":80", hosts: [${hosts}] }]\n`;

describe("agent configuration", () => {
  it("fills in what was left out", () => {
    const config = parse(complete);
    expect(config.admin).toEqual({ listen: { host: "127.0.0.1", port: 9400 }, token: undefined });
    expect(config.projects.shop?.manager).toMatchObject({ check_every: 300_000, push: true });
    expect(config.log).toEqual({ level: "info" });
    expect(parse("state: s").name).toBe(hostname());
    expect(parse("state: s").admin).toBeUndefined();
  });

  it("hides tokens when described", () => {
    expect(JSON.stringify(describeConfig(parse(complete)))).toContain('"token":"[hidden]"');
  });

  it("takes state and rule files from the file's folder when relative", async () => {
    const directory = await mkdtemp(join(tmpdir(), "posthouse-agent-"));
    try {
      const path = join(directory, "posthouse.yaml");
      await writeFile(path, "state: ./state\nprojects: { a: { file: ./_redirects }, b: { file: /b.tsv } }\n");
      const { state, projects } = await loadAgentConfig(path);
      expect(state).toBe(join(directory, "state"));
      expect(projects.a?.file).toBe(join(directory, "_redirects"));
      expect(projects.b?.file).toBe("/b.tsv");
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("refuses a site that names an unknown project, with the one that was meant", () => {
    expect(problems(withHosts('{ match: ["*"], project: shpo }'))).toEqual([
      'sites[0].hosts[0].project: there is no project "shpo"; did you mean "shop"?',
    ]);
  });

  it("refuses a host that stands twice, whatever its spelling", () => {
    expect(
      problems(
        withHosts('{ match: [a.example, "*"], project: shop }, { match: [A.example.], project: shop }'),
      ),
    ).toEqual(["sites[0].hosts[1].match[0]: A.example. stands here twice"]);
  });

  it.each([
    ["https://a.example", "without scheme"],
    ["a.example:8000", "leave the port out"],
    ["a b", "expected a host"],
    ["**.a.example/x", "expected a host"],
  ])("refuses the host pattern %s", (pattern, message) => {
    expect(problems(withHosts(`{ match: ["${pattern}"], project: shop }`)).join()).toContain(message);
  });

  it("takes any text for a host where a site chooses as Flecto does, but none twice", () => {
    const flecto = (hosts: string): string[] =>
      problems(`${withHosts(hosts).slice(0, -3)}, compat: flecto }]\n`);
    expect(flecto('{ match: ["[", "A", a, "*.a:80"], project: shop }, { project: shop }')).toEqual([]);
    expect(flecto("{ match: [a, a], project: shop }")).toEqual([
      "sites[0].hosts[0].match[1]: a stands here twice",
    ]);
    expect(flecto("{ project: shop }, { project: shop }")).toEqual([
      "sites[0].hosts[1]: all other hosts stand here twice",
    ]);
  });

  it("refuses a star beside an entry for all other hosts", () => {
    expect(problems(withHosts('{ project: shop }, { match: ["*"], project: shop }'))).toEqual([
      "sites[0].hosts[1].match[0]: * stands here twice",
    ]);
  });

  it("names a mistyped address and crashes on nothing else", () => {
    const text = `state: s\nadmin: { listen: nonsense }\nsites: [{ listen: nonsense, hosts: [{ match: ["*"], project: x }] }]`;
    expect(problems(text)).toEqual([
      expect.stringMatching(/^admin\.listen: expected an address/),
      expect.stringMatching(/^sites\[0\]\.listen: expected an address/),
    ]);
  });

  it("refuses two listeners on one address, but not on port 0", () => {
    const sites = (port: number): string =>
      `state: s\nadmin: { listen: "127.0.0.1:${port}" }\nprojects: { shop: { manager: ${manager} } }\n` +
      `sites: [{ listen: "127.0.0.1:${port}", hosts: [{ match: ["*"], project: shop }] }]`;
    expect(problems(sites(8000))).toEqual(["sites[0].listen: admin listens on 127.0.0.1:8000 already"]);
    expect(problems(sites(0))).toEqual([]);
  });

  it("refuses two projects that are one in the Manager", () => {
    const text = `state: s\nprojects:\n  a: { manager: ${manager} }\n  b: { manager: ${manager} }\n`;
    expect(problems(text)).toEqual(["projects.b.manager: is the same Manager project as projects.a"]);
  });

  it.each([
    ["url", "ftp://x", "expected an http or https URL"],
    ["url", "http://me:pw@x", "neither a user nor a query"],
    ["namespace", "a b", "letters, digits"],
    ["token", '""', "is empty"],
    ["check_every", "10ms", "shorter than 1s"],
    ["authorization_header", "X Y", "expected the name of a header"],
  ])("refuses manager.%s: %s", (key, value, message) => {
    const fields: Record<string, string> = {
      url: "http://x",
      namespace: "n",
      project: "p",
      token: "t",
      [key]: value,
    };
    const text = Object.entries(fields).map(([name, field]) => `      ${name}: ${field}\n`);
    expect(problems(`state: s\nprojects:\n  a:\n    manager:\n${text.join("")}`)).toEqual([
      expect.stringContaining(`projects.a.manager.${key}: `),
    ]);
    expect(problems(`state: s\nprojects:\n  a:\n    manager:\n${text.join("")}`)[0]).toContain(message);
  });

  const project = (fields: string): string => `state: s\nprojects: { a: { ${fields} } }\n`;

  it.each([
    ["compat: flecto", "projects.a: names neither `manager` nor `file`"],
    [`file: r.tsv, manager: ${manager}`, "projects.a.file: a project has `manager` or `file`, not both"],
    ["file: r.tsv, debug: true", "projects.a.debug: these are Flecto's headers: it needs `compat: flecto`"],
    [
      "file: rules.txt",
      "projects.a.file: the name must end with .yaml, .yml, .json, .tsv or .csv, or be _redirects",
    ],
    ["file: r.tsv, limits: { regex_time: 0s }", "projects.a.limits.regex_time: shorter than 1ms"],
  ])("refuses a project with %s", (fields, message) => {
    expect(problems(project(fields))).toEqual([message]);
  });

  it.each(["rules.yaml", "a/rules.yml", "RULES.JSON", "r.tsv", "r.csv", "/etc/_redirects"])(
    "takes rules from %s",
    (file) => {
      expect(parse(project(`file: ${file}`)).projects.a).toEqual({
        file,
        debug: false,
        limits: { regex_time: 20, regex_uri: 2048, pattern_size: 250, compiled_patterns: 20_000 },
      });
    },
  );

  it("has a JSON Schema for editors", () => {
    const schema = configJsonSchema(agentConfigSchema, "Posthouse agent") as { required: string[] };
    expect(schema.required).toEqual(["state"]);
  });
});
