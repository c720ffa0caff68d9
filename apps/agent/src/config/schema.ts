import { hostname } from "node:os";
import { codeSchema } from "@posthouse/protocol";
import {
  type ListenAddress,
  type LogLevel,
  listenOrPathSchema,
  Secret,
  suggestionText,
} from "@posthouse/service";
import * as z from "zod";
import { isHost, normaliseHost } from "../http/host.ts";
import { isNetwork } from "../http/ip-networks.ts";
import type { ForwardedStrategy } from "../proxy/forwarded.ts";
import { type AccessLogConfig, accessLogSchema, requestIdProblem } from "./access-log.ts";
import { type DrainConfig, drainSchema } from "./drain.ts";
import { type ErrorPagesConfig, errorPagesSchema } from "./error-pages.ts";
import { type EventsConfig, eventsSchema } from "./events.ts";
import { type FlagsConfig, flagsSchema } from "./flags.ts";
import { type ForwardConfig, forwardSchema } from "./forward.ts";
import { forwardLoops } from "./forward-loops.ts";
import { headerNameSchema } from "./header-name.ts";
import { listenProblems } from "./listen-problems.ts";
import { type ListenerConfig, listenerShape } from "./listener.ts";
import { type ProjectConfig, projectSchema } from "./project.ts";
import { type SiteLimits, siteLimitsSchema } from "./site-limits.ts";

/** The configuration as it is after reading: defaults filled in, durations in milliseconds. */
export interface AgentConfig {
  readonly name: string;
  readonly state: string;
  readonly admin?: AdminConfig | undefined;
  readonly log: { readonly level: LogLevel; readonly format?: "json" | "pretty" | undefined };
  readonly drain: DrainConfig;
  readonly projects: Readonly<Record<string, ProjectConfig>>;
  readonly sites: readonly SiteConfig[];
  readonly flags?: FlagsConfig | undefined;
  readonly events?: EventsConfig | undefined;
}

export interface AdminConfig {
  readonly listen: ListenAddress;
  readonly token?: Secret | undefined;
  /** Names by which people reach it, beside addresses and localhost. */
  readonly hosts?: readonly string[] | undefined;
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

export interface PlacedHost {
  readonly site: SiteConfig;
  readonly host: HostConfig;
  readonly path: readonly PropertyKey[];
}

/** Every host of every site, with its path in the configuration. */
export function hostsOf({ sites }: AgentConfig): PlacedHost[] {
  return sites.flatMap((site, index) =>
    site.hosts.map((host, hostIndex) => ({ site, host, path: ["sites", index, "hosts", hostIndex] })),
  );
}

/** What is wrong with a host of a site, or undefined. */
function hostFault(text: string): string | undefined {
  if (text !== "*" && !isHost(text.replace(/^\*\./, ""))) {
    return 'expected a host such as "shop.example.com", "*.example.com" or "*", without scheme and path';
  }
  const hasPort = /:\d*$/.test(text) && !text.endsWith("]");
  return hasPort ? "a host is matched without its port; leave the port out" : undefined;
}

const emptyIsNone = z.string().transform((text) => (text === "" ? undefined : new Secret(text)));

const trustedHeaders = [
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-by",
] as const;

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
    request_id: headerNameSchema
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
        listen: listenOrPathSchema
          .prefault("127.0.0.1:9400")
          .describe("address of health, status, hits and metrics: HOST:PORT, [IPV6]:PORT or unix:/PATH"),
        token: emptyIsNone
          .optional()
          .describe(
            "wanted for status, hits and metrics, for explaining an answer, and to change anything; health stays open",
          ),
        hosts: z
          .array(z.string().min(1))
          .optional()
          .describe("names under which subscriptions may be controlled, beside IP addresses and localhost"),
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
    drain: drainSchema.prefault({}),
    projects: z.record(codeSchema, projectSchema).default({}),
    sites: z.array(siteSchema).default([]),
    flags: flagsSchema.optional(),
    events: eventsSchema.optional().describe("Celery's events, from brokers to a Leek API or a webhook"),
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
  for (const [index, site] of config.sites.entries()) {
    yield* hostProblems(config, site, index);
    const message = requestIdProblem(site.access_log?.format, site.request_id);
    if (message !== undefined) yield { path: ["sites", index, "access_log", "format"], message };
  }
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
