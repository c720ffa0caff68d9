/**
 * From the configuration of Flecto's Traefik middleware to an agent's. What a host gets is the same for every request:
 * the site chooses with `compat: flecto`, so hosts are taken over as they are, also those that never match.
 */
import { agentConfigSchema } from "@posthouse/agent";
import { isPosthouseError } from "@posthouse/protocol";
import { durationSchema, parseConfig } from "@posthouse/service";
import { stringify } from "yaml";
import { commandErrors } from "../errors.ts";
import { type Finding, formatFinding, formatPath } from "./finding.ts";
import { type FlectoMiddleware, type FlectoSource, flectoKeys, readFlectoOptions } from "./flecto-options.ts";
import { parseGoDuration } from "./go-duration.ts";
import type { Path } from "./located-yaml.ts";
import { findMiddleware } from "./traefik-file.ts";

export interface ConvertOptions {
  /** Name of the file, for messages. */
  readonly file: string;
  readonly middleware?: string | undefined;
  /** Where the agent is to listen: the middleware has no address of its own. */
  readonly listen?: string | undefined;
  /** The agent's state directory. */
  readonly state?: string | undefined;
}

export interface Converted {
  /** An agent's configuration, as YAML. It holds the tokens. */
  readonly yaml: string;
  /** `file:line:column  key: what is different`. */
  readonly warnings: readonly string[];
}

interface Project {
  readonly name: string;
  readonly source: FlectoSource;
}

const shortestMs = 1000;
const longestMs = 540 * 3_600_000;

/** Throws CONVERT_INVALID with every problem and its place, and what finding the middleware throws. */
export function convertFlecto(text: string, request: ConvertOptions): Converted {
  const { file, middleware } = request;
  const found = findMiddleware(text, { file, middleware, keys: flectoKeys });
  const { options, findings } = readFlectoOptions(found.value);
  const print = (finding: Finding): string => formatFinding(finding, file, found.locate);
  const all = [...findings];
  if (options !== undefined) {
    const { config, projects, warnings } = buildConfig(options, request);
    all.push(...warnings);
    const yaml = header(file) + stringify(config, { lineWidth: 0 });
    all.push(...refused(yaml, projects));
    const isUsable = all.every(({ severity }) => severity !== "error");
    if (isUsable) return { yaml, warnings: all.map(print) };
  }
  const problems = all.filter(({ severity }) => severity === "error").map(print);
  throw commandErrors.create("CONVERT_INVALID", { problems: problems.join("\n") });
}

function buildConfig(
  { agentName, debug, root, entries }: FlectoMiddleware,
  { listen = "127.0.0.1:8000", state = "./state" }: ConvertOptions,
): {
  readonly config: unknown;
  readonly projects: readonly Project[];
  readonly warnings: readonly Finding[];
} {
  const warnings: Finding[] = [];
  const warn = (path: Path, message: string): void =>
    void warnings.push({ severity: "warning", path, message });

  const projects = new Map<string, Project>();
  const take = (source: FlectoSource): string => {
    const { url, namespace, project } = source;
    const key = [url.replace(/\/+$/, ""), namespace, project].join("|");
    const first = projects.get(key);
    if (first === undefined) {
      const name = projectName(source, [...projects.values()]);
      projects.set(key, { name, source });
      return name;
    }
    for (const [field, option] of sharedFields) {
      if (source[field] === first.source[field]) continue;
      const where = first.source.path.length === 0 ? "the top" : formatPath(first.source.path);
      warn(
        [...source.path, option],
        `not used: this is the project of ${where} again, and one client with its settings serves both, as in the middleware`,
      );
    }
    return first.name;
  };

  if (root !== undefined) take(root);
  const owners = new Map<string, number>();
  for (const [index, { hosts }] of entries.entries()) for (const host of hosts) owners.set(host, index);
  const sites = entries.flatMap(({ hosts, source }, index) => {
    const project = take(source);
    const match = [...new Set(hosts)].filter((host) => owners.get(host) === index);
    for (const [hostIndex, host] of hosts.entries()) {
      const path: Path = ["host_configs", index, "hosts", hostIndex];
      const owner = owners.get(host) ?? index;
      if (owner !== index)
        warn(path, `${host} stands in host_configs[${owner}] again, which wins, as in the middleware`);
      else if (host.includes(":"))
        warn(path, `${host} never matches, neither there nor here: hosts are compared without their port`);
      else if (host.includes("*")) warn(path, `${host} is no wildcard, neither there nor here`);
    }
    return match.length === 0 ? [] : [{ match, project }];
  });

  const used = new Set(sites.map(({ project }) => project));
  const rootName = root === undefined ? undefined : take(root);
  if (rootName !== undefined) used.add(rootName);
  const kept = [...projects.values()].filter(({ name }) => used.has(name));
  const config = {
    ...(agentName === undefined ? {} : { name: literal(agentName) }),
    state: literal(state),
    admin: { listen: "127.0.0.1:9400" },
    projects: Object.fromEntries(
      kept.map(({ name, source }) => [
        name,
        { manager: managerOf(source, warn), compat: "flecto", ...(debug ? { debug } : {}) },
      ]),
    ),
    sites: [
      {
        listen: literal(listen),
        compat: "flecto",
        hosts: [
          ...sites.map(({ match, project }) => ({ match: match.map(literal), project })),
          ...(rootName === undefined ? [] : [{ project: rootName }]),
        ],
      },
    ],
  };
  return { config, projects: kept, warnings };
}

const sharedFields = [
  ["token", "token_jwt"],
  ["header", "header_authorization_name"],
  ["interval", "interval_check"],
] as const;

function managerOf(source: FlectoSource, warn: (path: Path, message: string) => void): unknown {
  const { url, namespace, project, token, header, interval, path } = source;
  if (url.endsWith("/")) {
    warn(
      [...path, "manager_url"],
      "ends in /, with which the middleware gets a web page in place of a version and never loads; the agent does",
    );
  }
  return {
    url: literal(url),
    namespace: literal(namespace),
    project: literal(project),
    token: literal(token),
    ...(header === "" || /^authorization$/i.test(header) ? {} : { authorization_header: literal(header) }),
    ...(interval === "" ? {} : { check_every: checkEvery(interval, path, warn) }),
  };
}

function checkEvery(interval: string, path: Path, warn: (path: Path, message: string) => void): string {
  const ms = parseGoDuration(interval) ?? 0;
  const bounded = Math.min(Math.max(ms, shortestMs), longestMs);
  if (bounded !== ms) {
    const limit = ms < shortestMs ? "the agent asks at most once a second" : "the agent waits 540h at most";
    warn([...path, "interval_check"], `${interval} became ${bounded / 1000}s: ${limit}`);
  } else if (durationSchema.safeParse(interval).success) return interval;
  return `${Math.round(bounded)}ms`;
}

/** The agent's name of a project: its code, with the namespace where two have the same. */
function projectName({ namespace, project }: FlectoSource, others: readonly Project[]): string {
  const isFree = (name: string): boolean => others.every((other) => other.name !== name);
  const names = [project, `${namespace}-${project}`].map((name) => name.replace(/[^A-Za-z0-9_-]/g, "-"));
  for (let count = 2; ; count++) {
    const free = names.find(isFree);
    if (free !== undefined) return free;
    names.push(`${names[1]}-${count}`);
  }
}

/** A text as it stands in our file: `\${` is literal; Traefik's `{{ env "NAME" }}` is our `\${NAME}`. */
function literal(text: string): string {
  const [, name] = /^\{\{\s*env\s+["`]([A-Za-z_][A-Za-z0-9_]*)["`]\s*\}\}$/.exec(text) ?? [];
  return name === undefined ? text.replaceAll("${", () => "$${") : `\${${name}}`;
}

/** What the agent would refuse: addresses, codes, tokens and headers that no request could carry. */
function refused(yaml: string, projects: readonly Project[]): Finding[] {
  const findings: Finding[] = [];
  for (const { token, path } of projects.map(({ source }) => source)) {
    if (/^[\x21-\x7e]+$/.test(token) || isVariable(token)) continue;
    const message = "has spaces or unprintable characters, which no header can carry";
    findings.push({ severity: "error", path: [...path, "token_jwt"], message });
  }
  try {
    const anything = new Proxy({}, { get: () => "variable" }) as NodeJS.ProcessEnv;
    parseConfig(yaml, "", agentConfigSchema, anything);
  } catch (error) {
    if (!isPosthouseError(error)) throw error;
    for (const line of error.message.split("\n")) {
      const [, place = "", message = line] = /^:\d+:\d+ {2}([\w.[\]-]+): (.*)$/.exec(line) ?? [];
      const [, name, key = ""] = /^projects\.([^.]+)\.manager\.(\w+)$/.exec(place) ?? [];
      const project = projects.find((one) => one.name === name);
      const [field, option] = fieldOf[key] ?? [];
      if (project === undefined || field === undefined) {
        findings.push({ severity: "error", path: [], message: `${place} ${message}`.trim() });
      } else if (!isVariable(project.source[field])) {
        findings.push({ severity: "error", path: [...project.source.path, option ?? ""], message });
      }
    }
  }
  return findings;
}

const isVariable = (text: string): boolean => /^\$\{/.test(literal(text));

const fieldOf: Readonly<Record<string, readonly [Exclude<keyof FlectoSource, "path">, string]>> = {
  url: ["url", "manager_url"],
  namespace: ["namespace", "namespace_code"],
  project: ["project", "project_code"],
  token: ["token", "token_jwt"],
  authorization_header: ["header", "header_authorization_name"],
};

const header = (file: string): string =>
  `# Made by posthouse convert flecto from ${file.replace(/[\r\n]/g, " ")}. It holds tokens: keep it to yourself.\n`;
