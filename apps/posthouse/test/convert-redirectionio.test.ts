import { type AgentConfig, agentConfigSchema } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { parseConfig } from "@posthouse/service";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { convertRedirectionio } from "../src/convert/redirectionio.ts";
import { folderWith, runCommand } from "./run-command.ts";

const file = "agent.yml";
const proxy = { listen: "0.0.0.0:80", forward: "http://backend:8080", project_key: "s3cret-key" };
const base = { instance_name: "web-1", proxies: [proxy] };

function convert(options: unknown): { yaml: string; warnings: string } {
  const { yaml, warnings } = convertRedirectionio(JSON.stringify(options), { file });
  return { yaml, warnings: warnings.join("\n") };
}

/** The result as it is written, whether or not this agent knows every key of it. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
const written = (options: unknown): any => parse(convert(options).yaml);
// biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
const writtenSite = (change: object): any =>
  written({ ...base, proxies: [{ ...proxy, ...change }] }).sites[0];

function readByAgent(options: unknown, env: NodeJS.ProcessEnv = {}): AgentConfig {
  return parseConfig(convert(options).yaml, "posthouse.yaml", agentConfigSchema, env);
}

function problemsOf(text: string): { code: string; message: string } {
  try {
    convertRedirectionio(text, { file });
  } catch (error) {
    if (isPosthouseError(error)) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error("it was converted");
}

describe("convert redirectionio: a proxy becomes a site", () => {
  it("takes over address, backend and what is implied", () => {
    expect(written(base)).toEqual({
      name: "web-1",
      state: "./state",
      admin: { listen: "127.0.0.1:9400" },
      sites: [
        {
          listen: "0.0.0.0:80",
          compat: "redirectionio",
          trusted_proxies: [
            ...["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
            ...["::1/128", "fd00::/8"],
          ],
          hosts: [{ forward: "http://backend:8080", forwarded_for_strategy: "auto" }],
        },
      ],
    });
  });

  it("adds the entry's own trusted proxies, each once", () => {
    const site = writtenSite({ trusted_proxies: ["203.0.113.7", "10.0.0.0/8", "2001:db8::/32"] });
    expect(site.trusted_proxies.slice(6)).toEqual(["203.0.113.7", "2001:db8::/32"]);
  });

  it.each([
    [{ preserve_host: true }, { preserve_host: true }],
    [{ preserve_host: false }, {}],
    [{ compress: true }, { compress: true }],
    [{ forwarded_for_strategy: "none" }, { forwarded_for_strategy: "none" }],
    [{ forward: null }, { forward: undefined }],
    [{ timeout: 0 }, {}],
    [{ timeout: 30 }, { forward: { timeouts: { total: "30s" } } }],
    [{ timeout: 300 }, { forward: { timeouts: { first_byte: "300s", idle: "300s", total: "300s" } } }],
    [{ request_body_size_limit: "200MB" }, { forward: { max_body: "200MB" } }],
    [{ request_body_size_limit: "2 mib" }, { forward: { max_body: "2MiB" } }],
    [{ request_body_size_limit: 1000 }, { forward: { max_body: "1000B" } }],
    [{ allow_invalid_certificates: true }, { forward: { tls: { allow_invalid_certificates: true } } }],
  ] as readonly (readonly [object, { readonly forward?: object | undefined }])[])(
    "%j -> %j",
    (change, wanted) => {
      const [host] = writtenSite(change).hosts;
      const forward =
        typeof wanted.forward === "object"
          ? { upstreams: [proxy.forward], ...wanted.forward }
          : proxy.forward;
      expect(host).toEqual({
        forwarded_for_strategy: "auto",
        ...wanted,
        ...("forward" in wanted && wanted.forward === undefined ? {} : { forward }),
      });
    },
  );

  it.each([
    [
      { tls_cert_file: "/c.pem", tls_key_file: "/k.pem" },
      { tls: { certificates: [{ cert: "/c.pem", key: "/k.pem" }] } },
    ],
    [{ access_log: true }, { access_log: { path: "stdout" } }],
    [{ access_log: false }, { access_log: undefined }],
    [{ keep_alive: { enabled: false } }, { limits: { requests_per_connection: 1 } }],
    [{ keep_alive: { enabled: true } }, { limits: undefined }],
  ])("%j -> %j", (change, wanted) => {
    const site = writtenSite(change);
    expect({ ...wanted, ...Object.fromEntries(Object.keys(wanted).map((key) => [key, site[key]])) }).toEqual(
      wanted,
    );
  });

  it.each([
    [{ datadir: "/var/lib/redirectionio/" }, { state: "/var/lib/redirectionio/posthouse" }],
    [
      { metrics: { listen: "127.0.0.1:9000", format: "prometheus" } },
      { admin: { listen: "127.0.0.1:9000" } },
    ],
    [{ metrics: { listen: "/run/m.sock" } }, { admin: { listen: "unix:/run/m.sock" } }],
    [{ log: { stderr: { level: "Warning" } } }, { log: { level: "warn" } }],
    [{ log: { file: { level: "trace", path: "/x" } } }, { log: { level: "debug" } }],
    [{ log: { stderr: { level: "error" }, syslog: { level: "info" } } }, { log: { level: "error" } }],
  ])("%j -> %j", (change, wanted) => expect(written({ ...base, ...change })).toMatchObject(wanted));

  it("moves admin's default address out of a proxy's way", () => {
    const config = written({ ...base, proxies: [{ ...proxy, listen: ":9400" }] });
    expect(config.admin.listen).toBe("127.0.0.1:9401");
  });
});

describe("convert redirectionio: every key becomes ours or is named", () => {
  const inProxy = (change: object): object => ({ ...base, proxies: [{ ...proxy, ...change }] });
  const agentKeys: [path: string, change: object, named: string | undefined][] = [
    ["instance_name", { instance_name: "other" }, undefined],
    ["listen", { listen: "127.0.0.1:10301" }, "not built yet: web-server modules"],
    ["persist", { persist: false }, "no meaning here: copies"],
    ["datadir", { datadir: "/d" }, "became state"],
    ["logging", { logging: true }, "no meaning here"],
    ["test_mode", { test_mode: "managed" }, "no meaning here"],
    ["cache", { cache: 10 }, "no meaning here until sites have projects"],
    ["cache", { cache: true }, "no meaning here until sites have projects"],
    ["timeout", { timeout: 5 }, "no meaning here: it is for calls of redirection.io's platform"],
    ["project_keys", { project_keys: ["a"] }, "not built yet: rules by project key"],
    ["proxies", { proxies: [] }, "web-server modules are not built yet"],
    ["metrics.listen", { metrics: { listen: "0.0.0.0:9000" } }, "set admin.token"],
    ["metrics.format", { metrics: { listen: "127.0.0.1:9", format: "json" } }, "json is not built yet"],
    ["metrics.format", { metrics: { listen: "127.0.0.1:9" } }, "json is not built yet"],
    ["log.stderr.level", { log: { stderr: { level: "trace" } } }, "trace became debug"],
    [
      "log.file",
      { log: { file: { path: "/var/log/a.log" } } },
      "not built yet: the log goes to standard output",
    ],
    [
      "log.syslog",
      { log: { syslog: { tag: "t", network: "udp", address: "h:514" } } },
      "not built yet: the log",
    ],
    [
      "log.file.level",
      { log: { stderr: { level: "info" }, file: { level: "debug" } } },
      "there is one level",
    ],
    ["host", { host: "https://api.example" }, "no meaning here: redirection.io's platform is not asked"],
  ];
  const proxyKeys: typeof agentKeys = [
    ["forward", {}, "limits here that it had not: first_byte and idle of 60s, max_body of 100MiB"],
    ["timeout", { timeout: 0 }, "is without limit there; here it has first_byte and idle of 60s"],
    ["forward", { timeout: 0 }, "has limits here that it had not: max_body of 100MiB"],
    ["forward", { timeout: 1 }, "has limits here that it had not: max_body of 100MiB"],
    ["project_key", {}, "not built yet: rules by project key"],
    ["preserve_host", { preserve_host: true }, undefined],
    ["add_rule_ids_header", { add_rule_ids_header: true }, "not built yet: X-RedirectionIo-RuleIds"],
    ["trusted_proxies", { trusted_proxies: ["203.0.113.7"] }, undefined],
    [
      "request_body_size_limit",
      { request_body_size_limit: "2MiB" },
      "became max_body, which is for every body",
    ],
    ["compress", { compress: true }, undefined],
    ["access_log", { access_log: true }, undefined],
    ["allow_invalid_certificates", { allow_invalid_certificates: true }, undefined],
    [
      "allow_invalid_certificates",
      { forward: null, allow_invalid_certificates: true },
      "does nothing without forward",
    ],
    [
      "allow_ipv6_forward",
      { allow_ipv6_forward: false },
      "no meaning here: a backend is asked over IPv4 or IPv6",
    ],
    ["forwarded_for_strategy", { forwarded_for_strategy: "xforwarded" }, undefined],
    ["timeout", { timeout: 7 }, undefined],
    ["keep_alive.enabled", { keep_alive: { enabled: false } }, undefined],
    ["tls_cert_file", { tls_cert_file: "/c", tls_key_file: "/k" }, undefined],
  ];
  agentKeys.push(
    ["datadir", { datadir: "data" }, "is taken from the folder of the configuration"],
    ["instance_name", { instance_name: "" }, "is missing: the agent takes the host's name"],
  );
  const plain = convert(base).yaml;

  it.each([
    ...agentKeys.map(([path, change, named]) => [path, { ...base, ...change }, named] as const),
    ...proxyKeys.map(([path, change, named]) => [`proxies[0].${path}`, inProxy(change), named] as const),
  ])("%s in %j: %s", (path, options, named) => {
    const { yaml, warnings } = convert(options);
    if (named === undefined) expect([yaml === plain, warnings.includes(`${path}:`)]).toEqual([false, false]);
    else {
      const line = warnings.split("\n").find((each) => each.includes(`  ${path}: `) && each.includes(named));
      expect(line, warnings).toMatch(/^agent\.yml:1:\d+ {2}/);
    }
  });

  it("never prints a project key", () => {
    const { yaml, warnings } = convert({ ...base, project_keys: ["s3cret-key"] });
    expect(yaml + warnings).not.toContain("s3cret-key");
  });

  it("tells of a name and a project that are missing", () => {
    const { warnings } = convert({ proxies: [{ listen: ":80" }] });
    expect(warnings).toMatch(/instance_name: is missing[\s\S]*proxies\[0\]\.project_key: is missing/);
  });
});

describe("convert redirectionio: variables", () => {
  it("keeps them, alone and inside of texts", () => {
    const config = written({
      instance_name: `web-\${HOSTNAME}`,
      proxies: [
        {
          ...proxy,
          listen: `0.0.0.0:\${PORT}`,
          forward: `\${SCHEME}://backend`,
          preserve_host: `\${KEEP_HOST}`,
          timeout: `\${SECONDS}`,
          request_body_size_limit: `\${SIZE}`,
        },
      ],
    });
    expect(config.name).toBe(`web-\${HOSTNAME}`);
    expect(config.sites[0].listen).toBe(`0.0.0.0:\${PORT}`);
    expect(config.sites[0].hosts[0]).toMatchObject({
      forward: {
        upstreams: [`\${SCHEME}://backend`],
        timeouts: { total: `\${SECONDS}s` },
        max_body: `\${SIZE}`,
      },
      preserve_host: `\${KEEP_HOST}`,
    });
  });

  it.each([
    ["a default", `\${PORT:-80}`, `"\${PORT:-80}" is not \${NAME}`],
    ["an open brace", `\${PORT`, `"\${PORT" is not \${NAME}`],
    ["what would be literal here", `$\${PORT}`, `"$\${PORT}" is not \${NAME}`],
  ])("refuses %s", (_name, listen, message) => {
    const problem = problemsOf(JSON.stringify({ ...base, proxies: [{ ...proxy, listen }] }));
    expect(problem.message).toMatch(/^agent\.yml:1:\d+ {2}proxies\[0\]\.listen: /);
    expect(problem.message).toContain(message);
  });
});

describe("convert redirectionio: what the agent reads", () => {
  it("is what was meant, with variables", () => {
    const backend = `http://\${BACKEND}:8080/`;
    const config = readByAgent(
      {
        ...base,
        proxies: [
          {
            forward: backend,
            listen: `127.0.0.1:\${PORT}`,
            project_key: "k",
            preserve_host: `\${KEEP}`,
            timeout: `\${T}`,
          },
        ],
      },
      { BACKEND: "b", PORT: "81", KEEP: "true", T: "90" },
    );
    const [site] = config.sites;
    expect(site?.listen).toMatchObject({ host: "127.0.0.1", port: 81 });
    expect(site?.hosts[0]).toMatchObject({
      preserve_host: true,
      forwarded_for_strategy: "auto",
      forward: { upstreams: ["http://b:8080/"], timeouts: { total: 90_000, first_byte: 90_000 } },
    });
  });

  it("refuses an address that stands there twice", () => {
    const { message } = problemsOf(JSON.stringify({ ...base, proxies: [proxy, proxy] }));
    expect(message).toMatch(
      /^agent\.yml:1:\d+ {2}proxies\[1\]\.listen: proxies\[0\] listens on 0\.0\.0\.0:80 already/,
    );
  });

  it("knows TLS, access log, compression and keep-alive", () => {
    const keys = { access_log: true, compress: true, keep_alive: { enabled: false } };
    const config = readByAgent({
      ...base,
      proxies: [{ ...proxy, ...keys, tls_cert_file: "/c.pem", tls_key_file: "/k.pem" }],
    });
    expect(config.sites[0]).toMatchObject({
      compat: "redirectionio",
      tls: { certificates: [{ cert: "/c.pem", key: "/k.pem" }] },
      access_log: { path: "stdout" },
      limits: { requests_per_connection: 1 },
      hosts: [{ compress: true }],
    });
  });
});

describe("convert redirectionio: what is wrong is refused, with its place", () => {
  const text = (change: object): string => JSON.stringify({ ...base, ...change });
  const one = (change: object): string => text({ proxies: [{ ...proxy, ...change }] });
  it.each([
    [
      "an unknown key",
      text({ instance_nam: "x" }),
      'instance_nam: unknown key; did you mean "instance_name"?',
    ],
    [
      "an unknown key of a proxy",
      one({ preserve_hots: 1 }),
      'proxies[0].preserve_hots: unknown key; did you mean "preserve_host"?',
    ],
    [
      "an unknown key of a group",
      text({ log: { stder: {} } }),
      'log.stder: unknown key; did you mean "stderr"?',
    ],
    ["a key near nothing", text({ zzz: 1 }), "zzz: unknown key; known are instance_name, "],
    ["a list for a text", text({ instance_name: [] }), "instance_name: expected a text"],
    ["a text for a flag", one({ preserve_host: "yes" }), "proxies[0].preserve_host: expected true or false"],
    [
      "a text for a number",
      one({ timeout: "30s" }),
      "proxies[0].timeout: expected a number that is not below zero",
    ],
    ["less than zero", one({ timeout: -1 }), "proxies[0].timeout: expected a number that is not below zero"],
    [
      "a text for a list",
      one({ trusted_proxies: "10.0.0.1" }),
      "proxies[0].trusted_proxies: expected a list",
    ],
    ["a group for a list", text({ proxies: {} }), "proxies: expected a list"],
    ["a text for a group", text({ log: "info" }), "log: expected a group of keys"],
    ["a proxy that is none", text({ proxies: ["x"] }), "proxies[0]: expected a group of keys"],
    ["a file that is a list", "[]", "the file: expected a group of keys"],
    ["no address", one({ listen: null }), "proxies[0].listen: is missing"],
    ["an address that is none", one({ listen: "80" }), "proxies[0].listen: expected an address"],
    [
      "a backend that is none",
      one({ forward: "backend:80" }),
      "proxies[0].forward: expected http://HOST:PORT",
    ],
    [
      "a backend with a path",
      one({ forward: "http://b/base", timeout: 3 }),
      "proxies[0].forward: expected http://HOST:PORT",
    ],
    [
      "a network that is none",
      one({ trusted_proxies: ["::/0", "10.0.0/8"] }),
      "proxies[0].trusted_proxies[1]: expected an address or a network",
    ],
    ["a strategy that is none", one({ forwarded_for_strategy: "x" }), "proxies[0].forwarded_for_strategy: "],
    [
      "a size that is none",
      one({ request_body_size_limit: "2 apples" }),
      "proxies[0].request_body_size_limit: expected a size",
    ],
    [
      "a level that is none",
      text({ log: { stderr: { level: "warm" } } }),
      'log.stderr.level: there is no level "warm"; did you mean "warn"?',
    ],
    [
      "a certificate without key",
      one({ tls_cert_file: "/c" }),
      "proxies[0].tls_cert_file: without tls_key_file",
    ],
    [
      "a key without certificate",
      one({ tls_key_file: "/k" }),
      "proxies[0].tls_key_file: without tls_cert_file",
    ],
    ["a variable that decides", one({ access_log: `\${LOG}` }), "proxies[0].access_log: write true or false"],
    ["agent 3.x", '{ "instance": { "name": "x" } }', "instance: is of redirection.io's agent 3.x"],
    ["the log of agent 3.x", '{ "log": [] }', "log: is of redirection.io's agent 3.x"],
  ])("%s", (_name, input, message) => {
    const problem = problemsOf(input);
    expect(problem.code).toBe("CONVERT_INVALID");
    expect(problem.message.split("\n")).toHaveLength(1);
    expect(problem.message).toContain(`  ${message}`);
    expect(problem.message).toMatch(/^agent\.yml:1:\d+ {2}/);
  });

  it.each([
    ["no YAML", "a: [", /^agent\.yml:1:\d+: cannot be read/],
    ["two documents", "a: 1\n---\nb: 2\n", /^agent\.yml: cannot be read: it has 2 YAML documents/],
  ])("%s", (_name, input, message) => {
    const problem = problemsOf(input);
    expect(problem.code).toBe("CONVERT_SYNTAX");
    expect(problem.message).toMatch(message);
  });
});

describe("convert redirectionio: any file", () => {
  const known = [
    "instance_name",
    "listen",
    "forward",
    "proxies",
    "metrics",
    "log",
    "stderr",
    "level",
    "timeout",
  ];
  const key = fc.oneof(fc.constantFrom(...known, "tls_cert_file", "keep_alive", "access_log"), fc.string());
  const leaf = fc.oneof(
    fc.string(),
    fc.constantFrom("", "/", `\${A}`, "::", "info"),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5 },
      leaf,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(key, tie("tree"), { maxKeys: 4 }),
    ),
  }));

  it("is converted, or refused with problems that have their place", () => {
    const ends = { converted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.dictionary(key, tree, { maxKeys: 4 }), fc.boolean(), (options, isRight) => {
        try {
          const { yaml } = convertRedirectionio(
            JSON.stringify(isRight ? { ...base, cache: options.timeout } : options),
            { file },
          );
          expect(parse(yaml)).toMatchObject({ sites: expect.any(Array) });
          ends.converted++;
        } catch (error) {
          if (!isPosthouseError(error)) throw error;
          for (const line of error.message.split("\n"))
            expect(line).toMatch(/^agent\.yml:\d+:\d+ {2}[^:]*.*: \S/);
          ends.refused++;
        }
      }),
      { numRuns: 500 },
    );
    expect(Math.min(ends.converted, ends.refused)).toBeGreaterThan(20);
  });
});

describe("posthouse convert redirectionio", () => {
  it("prints a configuration that check accepts, and what is different beside it", async () => {
    const folder = await folderWith({
      "agent.yml":
        "instance_name: web-1\nproxies:\n  - listen: 127.0.0.1:8001\n    forward: http://127.0.0.1:1\n    project_key: k\n",
    });
    const { code, stderr } = await runCommand(["convert", "redirectionio", "agent.yml", "-o", "ours.yaml"], {
      cwd: folder,
    });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^agent\.yml:5:18 {2}proxies\[0\]\.project_key: not built yet/m);
    const check = await runCommand(["check", "-c", "ours.yaml"], { cwd: folder });
    expect([check.code, check.stdout]).toEqual([0, "ours.yaml: no problem found\n"]);
  });

  it("exits with 2 and names file, line and key", async () => {
    const folder = await folderWith({
      "agent.yml": "instance_name: web-1\npersist: maybe\nprojct_keys: []\n",
    });
    const { code, stdout, stderr } = await runCommand(["convert", "redirectionio", "agent.yml"], {
      cwd: folder,
    });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain("agent.yml:3:1");
    expect(stderr).toMatch(/agent\.yml:2:10 {2}persist: expected true or false[\s\S]*\[CONVERT_INVALID\]/);
  });

  it("has no use for Flecto's options", async () => {
    const { code, stderr } = await runCommand(["convert", "redirectionio", "x", "--listen", ":80"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining("--listen is for flecto")]);
  });
});
