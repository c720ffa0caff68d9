import { hostname } from "node:os";
import { codeSchema } from "@posthouse/protocol";
import {
  durationSchema,
  formatListen,
  type ListenAddress,
  type LogLevel,
  listenSchema,
  Secret,
  secretSchema,
  sizeSchema,
  suggestionText,
} from "@posthouse/service";
import * as z from "zod";
import { isHost, normaliseHost } from "../http/host.ts";
import { isNetwork } from "../http/ip-networks.ts";
import type { ForwardedStrategy } from "../proxy/forwarded.ts";
import { ruleFileFormat } from "../replica/rule-file-format.ts";
import { type AccessLogConfig, accessLogSchema } from "./access-log.ts";
import { type ErrorPagesConfig, errorPagesSchema } from "./error-pages.ts";
import { type ForwardConfig, forwardSchema } from "./forward.ts";
import { forwardLoops } from "./forward-loops.ts";
import { type ListenerConfig, listenerShape } from "./listener.ts";
import { type SiteLimits, siteLimitsSchema } from "./site-limits.ts";

/** The configuration as it is after reading: defaults filled in, durations in milliseconds. */
export interface AgentConfig {
  readonly name: string;
  readonly state: string;
  readonly admin?: AdminConfig | undefined;
  readonly log: { readonly level: LogLevel; readonly format?: "json" | "pretty" | undefined };
  readonly projects: Readonly<Record<string, ProjectConfig>>;
  readonly sites: readonly SiteConfig[];
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  readonly token?: Secret | undefined;
}

/** Its rules come from a Manager or from a file: one of the two is there. */
export interface ProjectConfig {
  readonly manager?: ManagerSourceConfig | undefined;
  readonly file?: string | undefined;
  readonly compat?: "flecto" | undefined;
  /** Flecto's debug headers; only with `compat`. */
  readonly debug: boolean;
  readonly limits: LimitsConfig;
}

/** What the patterns of one project may cost. */
export interface LimitsConfig {
  readonly regex_time: number;
  readonly regex_uri: number;
  readonly pattern_size: number;
  readonly compiled_patterns: number;
}

export interface ManagerSourceConfig {
  readonly url: string;
  readonly namespace: string;
  readonly project: string;
  readonly token: Secret;
  readonly authorization_header: string;
  readonly check_every: number;
  readonly push: boolean;
}

export interface SiteConfig extends ListenerConfig {
  readonly trusted_proxies: readonly string[];
  readonly trusted_headers: readonly TrustedHeader[];
  readonly request_id?: string | undefined;
  readonly access_log?: AccessLogConfig | undefined;
  readonly limits: SiteLimits;
  readonly hosts: readonly HostConfig[];
  readonly compat?: "flecto" | "redirectionio" | undefined;
}

type TrustedHeader = (typeof trustedHeaders)[number];

export interface HostConfig {
  /** Empty: all other hosts. */
  readonly match: readonly string[];
  readonly project?: string | undefined;
  readonly forward?: ForwardConfig | undefined;
  readonly preserve_host: boolean;
  readonly forwarded_for_strategy: ForwardedStrategy;
  readonly compress: boolean;
  readonly error_pages: ErrorPagesConfig;
}

const managerUrl = z
  .url({ protocol: /^https?$/, error: "expected an http or https URL" })
  .refine((text) => !URL.canParse(text) || !(new URL(text).username || new URL(text).search), {
    error: "may hold neither a user nor a query; the token has a key of its own",
  });

/** What is wrong with a host of a site, or undefined. */
function hostFault(text: string): string | undefined {
  if (text !== "*" && !isHost(text.replace(/^\*\./, ""))) {
    return 'expected a host such as "shop.example.com", "*.example.com" or "*", without scheme and path';
  }
  const hasPort = /:\d*$/.test(text) && !text.endsWith("]");
  return hasPort ? "a host is matched without its port; leave the port out" : undefined;
}

const emptyIsNone = z.string().transform((text) => (text === "" ? undefined : new Secret(text)));

const managerSchema = z.strictObject({
  url: managerUrl.describe("the Manager, Posthouse's or Flecto's"),
  namespace: codeSchema.describe("code of the namespace"),
  project: codeSchema.describe("code of the project"),
  token: secretSchema.describe("API token with redirect:read, page:read and agent:write"),
  authorization_header: z
    .string()
    .regex(/^[A-Za-z0-9-]+$/, "expected the name of a header")
    .default("Authorization")
    .describe("name of the header that carries the token"),
  check_every: durationSchema
    .prefault("5m")
    .refine((ms) => ms >= 1000, "shorter than 1s")
    .describe("how often the version is asked for"),
  push: z.boolean().default(true).describe("listen for new versions, where the Manager offers it"),
});

const limitsSchema = z.strictObject({
  regex_time: durationSchema
    .prefault("20ms")
    .refine((ms) => ms >= 1, "shorter than 1ms")
    .describe("time for the patterns of one request; the rest is passed over"),
  regex_uri: sizeSchema.prefault("2KiB").describe("no pattern is tried on a longer path and query"),
  pattern_size: z
    .int()
    .min(1)
    .max(5000)
    .default(250)
    .describe("steps in the program of a pattern; a larger one is refused"),
  compiled_patterns: z.int().min(1).default(20_000).describe("compiled patterns that are kept"),
});

const ruleFile = z.string().refine((path) => ruleFileFormat(path) !== undefined, {
  error: "the name must end with .yaml, .yml, .json, .tsv or .csv, or be _redirects",
});

const projectSchema = z
  .strictObject({
    manager: managerSchema.optional(),
    file: ruleFile
      .optional()
      .describe("rules from a file, in place of a Manager: .yaml, .json, .tsv, .csv or _redirects"),
    compat: z.enum(["flecto"]).optional().describe("answer as Flecto's Go agents do, with their misses"),
    debug: z
      .boolean()
      .default(false)
      .describe("with `compat: flecto`: its X-Middleware-Flecto headers on every answer"),
    limits: limitsSchema.prefault({}),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0) return;
    const { manager, file, compat, debug } = value;
    const refuse = (path: string[], message: string): void =>
      void issues.push({ code: "custom", input: value, path, message });
    if (manager === undefined && file === undefined) refuse([], "names neither `manager` nor `file`");
    if (manager !== undefined && file !== undefined)
      refuse(["file"], "a project has `manager` or `file`, not both");
    if (debug && compat === undefined)
      refuse(["debug"], "these are Flecto's headers: it needs `compat: flecto`");
  });

const trustedHeaders = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-by",
] as const;

const headerName = z.string().regex(/^[A-Za-z0-9-]+$/, "expected the name of a header");

const siteSchema = z
  .strictObject({
    ...listenerShape,
    trusted_proxies: z
      .array(z.string().refine(isNetwork, 'expected an address or a network such as "10.0.0.0/8"'))
      .default([])
      .describe("whose headers say who the client is"),
    trusted_headers: z
      .array(z.enum(trustedHeaders))
      .default(["forwarded", "x-forwarded-for"])
      .describe("which of them; leave out those that these proxies do not write themselves"),
    request_id: headerName
      .optional()
      .describe("header that carries an id of the request to the backend, such as X-Request-Id"),
    access_log: accessLogSchema.optional().describe("a line for every request; without it none"),
    limits: siteLimitsSchema.prefault({}),
    hosts: z
      .array(
        z.strictObject({
          match: z
            .array(z.string())
            .min(1)
            .default([])
            .describe("hosts, *.suffixes, or * for all others; without it, all others"),
          project: z.string().optional().describe("name of one of the projects, whose rules answer first"),
          forward: forwardSchema
            .optional()
            .describe("where requests go that no rule answers; without it 404"),
          preserve_host: z
            .boolean()
            .default(false)
            .describe("send the client's Host instead of the backend's"),
          forwarded_for_strategy: z
            .enum(["auto", "none", "forwarded", "xforwarded"])
            .default("xforwarded")
            .describe("how the backend learns who the client is"),
          compress: z
            .boolean()
            .default(false)
            .describe("compress answers that gain by it with br, zstd or gzip, as the client accepts"),
          error_pages: errorPagesSchema,
        }),
      )
      .min(1),
    compat: z
      .enum(["flecto", "redirectionio"])
      .optional()
      .describe(
        "flecto: choose by host as its middleware does, the text before the first colon, letter by letter, no wildcards; redirectionio: answer 503 wherever a backend failed, as that agent does",
      ),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0 || value.compat === "flecto") return;
    for (const [index, { match }] of value.hosts.entries()) {
      for (const [matchIndex, pattern] of match.entries()) {
        const message = hostFault(pattern);
        const path = ["hosts", index, "match", matchIndex];
        if (message !== undefined) issues.push({ code: "custom", input: pattern, path, message });
      }
    }
  });

/** Checks and completes what a user writes. */
export const agentConfigSchema: z.ZodType<AgentConfig> = z
  .strictObject({
    name: z.string().min(1).max(200).default(hostname).describe("name of this instance, as Managers see it"),
    state: z.string().min(1).describe("directory for the copies of what Managers published"),
    admin: z
      .strictObject({
        listen: listenSchema
          .prefault("127.0.0.1:9400")
          .describe("address of health, status, hits and metrics"),
        token: emptyIsNone
          .optional()
          .describe("wanted for status, hits and metrics, and for explaining an answer; health stays open"),
      })
      .optional(),
    log: z
      .strictObject({
        level: z
          .enum(["debug", "info", "warn", "error", "silent"])
          .default("info")
          .describe("the least important entries that are written"),
        format: z.enum(["json", "pretty"]).optional().describe("by default pretty on a terminal, else json"),
      })
      .prefault({}),
    projects: z.record(codeSchema, projectSchema).default({}),
    sites: z.array(siteSchema).default([]),
  })
  .check(({ value, issues }) => {
    if (issues.length > 0) return; // what is wrong alone is told first
    for (const { path, message } of crossProblems(value)) {
      issues.push({ code: "custom", input: value, path: [...path], message });
    }
  });

export interface CrossProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** What is wrong between two places that are each right alone. */
function* crossProblems(config: AgentConfig): Generator<CrossProblem> {
  yield* listenProblems(config);
  yield* forwardLoops(config.sites);
  for (const [index, site] of config.sites.entries()) yield* hostProblems(config, site, index);
  const sources = new Map<string, string>();
  for (const [name, { manager }] of Object.entries(config.projects)) {
    if (manager === undefined) continue;
    const key = [manager.url.replace(/\/+$/, ""), manager.namespace, manager.project].join(" ");
    const other = sources.get(key);
    if (other === undefined) sources.set(key, name);
    else
      yield {
        path: ["projects", name, "manager"],
        message: `is the same Manager project as projects.${other}`,
      };
  }
}

function* listenProblems({ admin, sites }: AgentConfig): Generator<CrossProblem> {
  const taken = new Map<string, string>();
  if (admin) taken.set(formatListen(admin.listen), "admin");
  for (const [index, { listen }] of sites.entries()) {
    const address = formatListen(listen);
    const other = taken.get(address);
    if (other !== undefined && (listen.port !== 0 || listen.path !== undefined)) {
      yield { path: ["sites", index, "listen"], message: `${other} listens on ${address} already` };
    }
    taken.set(address, `sites[${index}]`);
  }
}

function* hostProblems({ projects }: AgentConfig, site: SiteConfig, index: number): Generator<CrossProblem> {
  const names = Object.keys(projects);
  const seen = new Set<string>();
  const flecto = site.compat === "flecto";
  const others = flecto ? "all other hosts" : "*";
  for (const [hostIndex, { match, project }] of site.hosts.entries()) {
    const path = ["sites", index, "hosts", hostIndex];
    if (project !== undefined && !names.includes(project)) {
      const hint = suggestionText(project, names);
      yield { path: [...path, "project"], message: `there is no project "${project}"${hint}` };
    }
    if (match.length === 0) {
      if (seen.has(others)) yield { path, message: "all other hosts stand here twice" };
      seen.add(others);
    }
    for (const [matchIndex, pattern] of match.entries()) {
      const host = flecto ? `=${pattern}` : normaliseHost(pattern);
      if (seen.has(host))
        yield { path: [...path, "match", matchIndex], message: `${pattern} stands here twice` };
      seen.add(host);
    }
  }
}
