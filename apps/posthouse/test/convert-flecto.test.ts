import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { type AgentConfig, agentConfigSchema, createHostTable } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { parseConfig } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { convertFlecto } from "../src/convert/flecto.ts";
import { folderWith, runCommand } from "./run-command.ts";

const base = { manager_url: "http://m", namespace_code: "ns", token_jwt: "t", agent_name: "a" };

function convert(options: object, env: NodeJS.ProcessEnv = {}): { config: AgentConfig; warnings: string[] } {
  const { yaml, warnings } = convertFlecto(JSON.stringify(options), { file: "m.json" });
  const config = parseConfig(yaml, "posthouse.yaml", agentConfigSchema, env);
  return { config, warnings: [...warnings] };
}

/** The project that a host gets, as `namespace/project`. */
function projectOf({ sites, projects }: AgentConfig, host: string): string | undefined {
  const [site] = sites;
  if (site === undefined) return undefined;
  const entries = site.hosts.map(({ match, project }) => ({ match, value: project }));
  const { manager } = projects[createHostTable(entries, site).find(host) ?? ""] ?? {};
  return manager && `${manager.namespace}/${manager.project}`;
}

function problemOf(text: string, middleware?: string): { code: string; message: string } {
  try {
    convertFlecto(text, { file: "m.yaml", middleware });
  } catch (error) {
    if (isPosthouseError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was converted");
}

describe("convert flecto: which project a host gets", () => {
  const { config } = convert({
    ...base,
    project_code: "root",
    host_configs: [
      { hosts: ["a.example", "Upper.Example", "b.example:8080", "*.wild.example", "["], project_code: "p" },
      { hosts: ["c.example", "a.example"], namespace_code: "n2", project_code: "p" },
    ],
  });
  it.each([
    ["a.example", "n2/p"],
    ["c.example:8443", "n2/p"],
    ["c.example:", "n2/p"],
    ["C.example", "ns/root"],
    ["c.example.", "ns/root"],
    ["Upper.Example", "ns/p"],
    ["upper.example", "ns/root"],
    ["b.example:8080", "ns/root"],
    ["b.example", "ns/root"],
    ["x.wild.example", "ns/root"],
    ["*.wild.example", "ns/p"],
    ["[::1]:80", "ns/p"],
    ["[2001:db8::1]", "ns/root"],
    ["", "ns/root"],
  ])("%j -> %s", (host, project) => expect(projectOf(config, host)).toBe(project));

  it("has none for other hosts when there is no project at the top", () => {
    const bare = convert({ ...base, host_configs: [{ hosts: "a.example,b.example", project_code: "p" }] });
    expect(["a.example", "b.example", "c.example"].map((host) => projectOf(bare.config, host))).toEqual([
      "ns/p",
      "ns/p",
      undefined,
    ]);
  });

  it("takes a star for a host of that name", () => {
    const { config: star } = convert({ ...base, host_configs: [{ hosts: ["*"], project_code: "p" }] });
    expect([projectOf(star, "a.example"), projectOf(star, "*")]).toEqual([undefined, "ns/p"]);
  });
});

describe("convert flecto: keys", () => {
  it("takes over every key", () => {
    const { config, warnings } = convert({
      ...base,
      manager_url: "https://manager.example:8443/base",
      agent_name: "edge.1",
      token_jwt: "flecto_abc$" + "{x}",
      header_authorization_name: "X-Auth",
      interval_check: "1m30s",
      debug: true,
      project_code: "shop",
    });
    expect(warnings).toEqual([]);
    expect(config.name).toBe("edge.1");
    const { manager, compat, debug } = config.projects.shop ?? {};
    expect({ ...manager, token: manager?.token.reveal() }).toEqual({
      url: "https://manager.example:8443/base",
      namespace: "ns",
      project: "shop",
      token: "flecto_abc$" + "{x}",
      authorization_header: "X-Auth",
      check_every: 90_000,
      push: true,
    });
    expect([compat, debug, config.sites[0]?.compat]).toEqual(["flecto", true, "flecto"]);
  });

  it("fills in what an entry leaves out, but never the project", () => {
    const { config } = convert({
      ...base,
      header_authorization_name: "X-Auth",
      interval_check: "10s",
      host_configs: [{ hosts: ["a"], project_code: "p", token_jwt: "other", interval_check: "20s" }],
    });
    const { manager } = config.projects.p ?? {};
    expect(manager).toMatchObject({ url: "http://m", authorization_header: "X-Auth", check_every: 20_000 });
    expect(manager?.token.reveal()).toBe("other");
  });

  it("makes one project of entries that the middleware gives one client, with the settings of the first", () => {
    const { config, warnings } = convert({
      ...base,
      project_code: "p",
      host_configs: [
        { hosts: ["a"], project_code: "p", token_jwt: "t2" },
        { hosts: ["b"], project_code: "q", interval_check: "1m" },
        { hosts: ["c"], project_code: "q", interval_check: "2m" },
      ],
    });
    expect(Object.keys(config.projects)).toEqual(["p", "q"]);
    expect(config.projects.p?.manager?.token.reveal()).toBe("t");
    expect(config.projects.q?.manager?.check_every).toBe(60_000);
    expect(warnings).toEqual([
      expect.stringMatching(/host_configs\[0\]\.token_jwt: not used: this is the project of the top again/),
      expect.stringMatching(/host_configs\[2\]\.interval_check: not used: .* of host_configs\[1\] again/),
    ]);
  });

  it("tells what is different, with its place", () => {
    const { config, warnings } = convert({
      ...base,
      manager_url: "http://m/",
      interval_check: "50ms",
      debg: true,
      host_configs: [{ hosts: ["a:80", "*.b"], project_code: "p", debug: true }],
    });
    expect(config.projects.p?.manager?.check_every).toBe(1000);
    const texts = ["debg: unknown key", "debug: only the one at the top counts", "a:80 never matches"];
    texts.push("*.b is no wildcard", "manager_url: ends in /", "interval_check: 50ms became 1s");
    for (const text of texts) expect(warnings.join("\n")).toContain(text);
    expect(warnings).toHaveLength(texts.length);
    for (const warning of warnings) expect(warning).toMatch(/^m\.json:1:\d+ {2}/);
  });

  it("turns Traefik's template of a variable into ours", () => {
    const options = { ...base, project_code: "p", token_jwt: '{{ env "FLECTO_TOKEN" }}' };
    const { config } = convert(options, { FLECTO_TOKEN: "secret" });
    expect(config.projects.p?.manager?.token.reveal()).toBe("secret");
  });
});

describe("convert flecto: what does not start is refused", () => {
  it.each([
    ["neither project nor hosts", {}, "project_code: either project_code or host_configs"],
    ["no hosts", { host_configs: [{ hosts: [], project_code: "p" }] }, "host_configs[0].hosts: hosts is req"],
    [
      "no project in an entry",
      { host_configs: [{ hosts: ["a"] }] },
      "host_configs[0].project_code: project_",
    ],
    ["no token", { project_code: "p", token_jwt: null }, "token_jwt: is missing"],
    ["a bare number", { project_code: "p", interval_check: 300 }, 'duration "300"; a number needs its unit'],
    ["no duration", { project_code: "p", interval_check: "5 min" }, "interval_check: invalid"],
    ["zero", { project_code: "p", interval_check: "0s" }, 'interval_check: "0s" is not above zero'],
    ["a bare zero", { project_code: "p", interval_check: "0" }, 'interval_check: "0" is not above zero'],
    ["less than zero", { project_code: "p", interval_check: "-5m" }, 'interval_check: "-5m" is not'],
    [
      "an entry's own interval",
      { host_configs: [{ hosts: ["a"], project_code: "p", interval_check: "0s" }] },
      "host_configs[0].interval_check: ",
    ],
    ["no address", { project_code: "p", manager_url: "manager:8080" }, "manager_url: expected an http or"],
    ["a code that is none", { project_code: "a b" }, "project_code: "],
    ["a token with a blank", { project_code: "p", token_jwt: "a b" }, "token_jwt: has spaces"],
    [
      "a header with a blank",
      { project_code: "p", header_authorization_name: "X Y" },
      "header_authorization",
    ],
    ["a list for a text", { project_code: ["p"] }, "project_code: expected a text"],
    ["an entry that is none", { host_configs: ["a"] }, "host_configs[0]: expected a group"],
    ["a flag that is none", { project_code: "p", debug: "maybe" }, "debug: expected true or false"],
  ])("%s", (_name, change, message) => {
    const problem = problemOf(JSON.stringify({ ...base, ...change }));
    expect(problem.code).toBe("CONVERT_INVALID");
    expect(problem.message).toContain(message);
    expect(problem.message).toMatch(/^m\.yaml:1:\d+ {2}/);
  });

  it("names an interval where it stands, once, however many inherit it", () => {
    const hosts = [
      { hosts: ["a"], project_code: "p" },
      { hosts: ["b"], project_code: "q" },
    ];
    const { message } = problemOf(JSON.stringify({ ...base, interval_check: "0s", host_configs: hosts }));
    expect(message.split("\n")).toHaveLength(1);
    expect(message).toMatch(/ {2}interval_check: "0s"/);
  });
});

const dynamic = `http:
  routers: {}
  middlewares:
    shop:
      plugin:
        flecto:
          manager_url: http://m
          namespace_code: ns
          token_jwt: t
          project_code: shop
    blog:
      plugin:
        flecto: { manager_url: http://m, namespace_code: ns, token_jwt: t, project_code: blog }
    compress: { compress: {} }
    other: { plugin: { ratelimit: { average: 5 } } }
`;

describe("convert flecto: the middleware in Traefik's files", () => {
  it("asks which one when there are several", () => {
    const { code, message } = problemOf(dynamic);
    expect([code, message]).toEqual(["MIDDLEWARE_AMBIGUOUS", "m.yaml has 2 Flecto middlewares: shop, blog"]);
    expect(convertFlecto(dynamic, { file: "m.yaml", middleware: "blog" }).yaml).toContain("project: blog");
    expect(problemOf(dynamic, "blgo").message).toMatch(/named "blgo"; did you mean "blog"\?/);
  });

  it("takes the only one without being told", () => {
    const one = dynamic.replace(/ {4}blog:[\s\S]*?(?= {4}compress)/, "");
    expect(convertFlecto(one, { file: "m.yaml" }).yaml).toContain("project: shop");
  });

  it("finds it in a Kubernetes object among others", () => {
    const text = `kind: Service\n---\nkind: Middleware\nmetadata: { name: r }\nspec: { plugin: { flecto: ${JSON.stringify({ ...base, project_code: "k8s" })} } }\n`;
    expect(convertFlecto(text, { file: "m.yaml" }).yaml).toContain("project: k8s");
  });

  it.each([
    ["a file without one", "http: { middlewares: {} }", "MIDDLEWARE_UNKNOWN"],
    ["no YAML", "a: [", "CONVERT_SYNTAX"],
    ["TOML", '[http.middlewares.shop.plugin.flecto]\n  manager_url = "http://m"\n', "CONVERT_SYNTAX"],
    ["an alias to nothing", "manager_url: *nothing", "CONVERT_SYNTAX"],
  ])("refuses %s", (_name, text, code) => expect(problemOf(text).code).toBe(code));
});

describe("posthouse convert", () => {
  const options = JSON.stringify({ ...base, project_code: "p", interval_check: "50ms" });

  it("prints a configuration that check accepts, and warnings beside it", async () => {
    const folder = await folderWith({ "m.json": options });
    const { code, stdout, stderr } = await runCommand(["convert", "flecto", join(folder, "m.json")]);
    expect(code).toBe(0);
    expect(parseConfig(stdout, "x", agentConfigSchema, {}).sites[0]?.hosts).toMatchObject([
      { match: [], project: "p" },
    ]);
    expect(stderr).toMatch(/m\.json:1:\d+ {2}interval_check: 50ms became 1s/);
  });

  it("writes a file that only its owner can read, and never over another", async () => {
    const folder = await folderWith({ "m.json": options });
    const out = join(folder, "posthouse.yaml");
    const args = ["convert", "flecto", join(folder, "m.json"), "-o", out];
    expect((await runCommand([...args, "--state", "/var/lib/p", "--listen", ":80"])).code).toBe(0);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    const text = await readFile(out, "utf8");
    expect(text).toMatch(/^# Made by posthouse convert flecto[\s\S]*state: \/var\/lib\/p/);
    expect((await runCommand(["check", "-c", out])).code).toBe(0);
    const again = await runCommand(args);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining("[FILE_EXISTS]")]);
    const nowhere = await runCommand([...args.slice(0, 4), join(folder, "no", "where.yaml")]);
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringContaining("[FILE_NOT_WRITABLE]")]);
  });

  it("exits with 2 and names file, line and key", async () => {
    const folder = await folderWith({
      "m.yaml": "manager_url: http://m\nproject_code: p\ninterval_check: -5m\n",
    });
    const { code, stdout, stderr } = await runCommand(["convert", "flecto", "m.yaml"], { cwd: folder });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/m\.yaml:3:17 {2}interval_check: "-5m"/);
    expect(stderr).toMatch(
      /namespace_code: is missing[\s\S]*token_jwt: is missing[\s\S]*\[CONVERT_INVALID\]/,
    );
  });

  it("says which formats there are, and that a file is missing", async () => {
    const wrong = await runCommand(["convert", "flekto", "x"]);
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      expect.stringMatching(/"flekto"; did you mean "flecto"\?/),
    ]);
    const missing = await runCommand(["convert", "flecto", "/nowhere/m.yaml"]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining("[FILE_UNREADABLE]")]);
  });
});
