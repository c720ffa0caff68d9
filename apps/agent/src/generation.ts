/**
 * A generation is everything that one configuration needs, running. The next one is built beside it: what did not
 * change (a replica with the same settings, a listener with the same address) is taken over as it is, the rest is made
 * and started. Nothing of the old one is touched before `activate`, so a generation that fails leaves no trace.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  formatListen,
  type ListenAddress,
  type Log,
  type Part,
  startParts,
  stopParts,
} from "@posthouse/service";
import { createAdminHandler } from "./admin/handler.ts";
import { describeStatus } from "./admin/status.ts";
import type { AgentConfig, HostConfig, SiteConfig } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import type { Metrics, Tallies } from "./core/metrics.ts";
import type { AccessLogCounters, AccessLogFile } from "./http/access-log/file.ts";
import { createAccessLogFiles } from "./http/access-log/files.ts";
import { createAccessFormat } from "./http/access-log/format.ts";
import { createAccessLogHandler } from "./http/access-log/handler.ts";
import { type ClientAddressResolver, createClientAddress } from "./http/client-address.ts";
import { type Compression, compressAnswers } from "./http/compression/compression.ts";
import { createDoor, type Door } from "./http/door.ts";
import type { ExchangeHandler } from "./http/exchange.ts";
import { createExplainHeader, type ExplainHeader } from "./http/explain-header.ts";
import { createNetworks } from "./http/ip-networks.ts";
import { createNode1Server, type HttpCounters, type HttpServer, type ServerRole } from "./http/node1.ts";
import { createPipeline, type HostHandlers, type ProjectHandler } from "./http/pipeline.ts";
import { createHostTable, type HostEntry } from "./http/sites.ts";
import { createTls, type Tls, tlsKey } from "./http/tls.ts";
import type { TlsMetrics } from "./http/tls-metrics.ts";
import { backendHost } from "./proxy/backend-address.ts";
import type { ErrorAnswers } from "./proxy/error-answers.ts";
import type { Forward } from "./proxy/forward.ts";
import { createForwarding } from "./proxy/forwarded.ts";
import { createForwards, forwardKey } from "./proxy/forwards.ts";
import { createProxyHandler, type ProxyHandler } from "./proxy/handler.ts";
import { createHostErrors } from "./proxy/host-errors.ts";
import type { ForwardCounters } from "./proxy/metrics.ts";
import { createRedirectHandler } from "./redirects/handler.ts";
import { createRedirectsHealth } from "./redirects/health.ts";
import { listHits } from "./redirects/hit-list.ts";
import type { Hits } from "./redirects/hits.ts";
import { createFileReplica } from "./replica/file.ts";
import { createManagerReplica } from "./replica/manager.ts";
import { type Replica, type ReplicaOptions, replicaKey } from "./replica/replica.ts";
import { prepareStateDirectory } from "./replica/state-directory.ts";

export interface GenerationContext {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly redirectRequests: Tallies;
  /** The hit counts of a project: the same in every generation. */
  readonly hitsOf: (project: string) => Hits;
  readonly httpCounters: (listener: string) => HttpCounters;
  readonly forwardCounters: (site: string) => ForwardCounters;
  readonly tlsMetrics: TlsMetrics;
  readonly accessLogCounters: (file: string) => AccessLogCounters;
  readonly compression: Compression;
  readonly startedAt: Date;
  /** Aborted once the agent stops. */
  readonly stopSignal: () => AbortSignal;
}

export interface Generation {
  readonly config: AgentConfig;
  /** In the order of starting. */
  readonly parts: readonly Part[];
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly admin: HttpServer | undefined;
  readonly sites: readonly HttpServer[];
  /** By their whole configuration. */
  readonly forwards: ReadonlyMap<string, Forward>;
  readonly accessLogs: ReadonlyMap<string, AccessLogFile>;
  /** Hands the listeners that were taken over to this generation. Cannot fail. */
  activate(): void;
}

const readyWithinMs = 10_000;

/** Builds and starts what `config` needs beside what `old` has. On failure stops what it started and throws. */
export async function createGeneration(
  config: AgentConfig,
  context: GenerationContext,
  old?: Generation,
): Promise<Generation> {
  await prepareStateDirectory(config.state);
  const parts: Part[] = [];
  const roles = new Map<HttpServer, ServerRole>();

  const replicas = new Map<string, Replica>();
  const replicaOptions = Object.entries(config.projects).map(([project, projectConfig]) => ({
    project,
    config: projectConfig,
    agentName: config.name,
    state: config.state,
    log: context.log,
  }));

  /** What connections to a site pass first; its certificates are read again when its settings changed. */
  const takeDoor = (
    { tls: config, proxy_protocol }: SiteConfig,
    address: string,
    index: number,
  ): Door | undefined => {
    if (config === undefined && proxy_protocol === undefined) return undefined;
    const listener = `site ${address}`;
    const key = config && tlsKey({ listener, config });
    const same = old?.parts.find((part): part is Tls => "key" in part && part.key === key);
    const { log, tlsMetrics: metrics } = context;
    const tls =
      config && (same ?? createTls({ config, listener, configKey: `sites[${index}].tls`, log, metrics }));
    if (tls !== undefined) parts.push(tls);
    return createDoor({ tls, announcing: createNetworks(proxy_protocol?.from ?? []) });
  };

  /** A server is known by its address, so that a site and the admin address may change places. */
  const takeServer = (
    role: string,
    { listen, address }: NamedListen,
    handler: ExchangeHandler,
    { door, limits }: Pick<ServerRole, "door" | "limits"> = {},
  ): HttpServer => {
    const name = listen.port === 0 ? `${role} ${address}` : `listener ${address}`;
    const same = old?.parts.find((part) => part.name === name) as HttpServer | undefined;
    const serving = { handler, counters: context.httpCounters(`${role} ${address}`), door, limits };
    const server = same ?? createNode1Server({ name, listen, role: serving, log: context.log });
    roles.set(server, serving);
    return server;
  };

  for (const options of replicaOptions) {
    const same = old?.replicas.get(options.project);
    replicas.set(options.project, same?.key === replicaKey(options) ? same : createReplica(options));
  }

  let admin: HttpServer | undefined;
  if (config.admin) {
    const { listen, token } = config.admin;
    const address = formatListen(listen);
    const loadedAt = new Date();
    const copies = [...replicas.values()];
    const handler = createAdminHandler({
      token,
      jobs: config.sites.length === 0 ? [] : [createRedirectsHealth(copies)],
      metrics: context.metrics,
      status: () => describeStatus({ config, loadedAt, projects: copies, ...context }),
      hits: (project, options) => {
        const replica = replicas.get(project);
        return replica && listHits(replica.ruleSet, context.hitsOf(project), options);
      },
      stopping: () => context.stopSignal().aborted,
      log: context.log,
    });
    admin = takeServer("admin", { listen, address }, handler);
    parts.push(admin);
  }
  parts.push(...replicas.values());
  const forwards = await createForwards(config, context, old?.forwards);
  parts.push(...forwards.values());
  const explainHeader =
    config.admin?.token && createExplainHeader({ token: config.admin.token, log: context.log });
  const accessLogs = createAccessLogFiles(config, context, old?.accessLogs);
  parts.push(...accessLogs.values());
  const errors = await createHostErrors(config);
  const surroundings = { config, replicas, forwards, accessLogs, errors, context, explainHeader };
  const sites = nameSites(config.sites).map(({ site, ...named }, index) =>
    takeServer("site", named, createSiteHandler(site, surroundings), {
      door: takeDoor(site, named.address, index),
      limits: site.limits,
    }),
  );
  parts.push(...sites);

  const added = parts.filter((part) => !old?.parts.includes(part));
  await startParts(added, { log: context.log });
  try {
    for (const replica of replicas.values()) {
      await awaitReady(replica, old?.replicas.get(replica.project), context.stopSignal());
    }
  } catch (error) {
    await stopParts(added, 2000).catch((cause) =>
      context.log.warn({ error: cause }, "could not stop cleanly"),
    );
    throw error;
  }
  return {
    config,
    parts,
    replicas,
    admin,
    sites,
    forwards,
    accessLogs,
    activate() {
      for (const [server, role] of roles) server.role = role;
    },
  };
}

function createReplica(options: ReplicaOptions): Replica {
  return options.config.file === undefined ? createManagerReplica(options) : createFileReplica(options);
}

interface NamedListen {
  readonly listen: ListenAddress;
  readonly address: string;
}

/** Several sites may have port 0: they are told apart by their order. */
function nameSites(sites: readonly SiteConfig[]): (NamedListen & { readonly site: SiteConfig })[] {
  const seen = new Map<string, number>();
  return sites.map((site) => {
    const { listen } = site;
    const address = formatListen(listen);
    const count = (seen.get(address) ?? 0) + 1;
    seen.set(address, count);
    return { site, listen, address: count === 1 ? address : `${address} #${count}` };
  });
}

interface SiteSurroundings {
  readonly config: AgentConfig;
  readonly replicas: ReadonlyMap<string, Replica>;
  readonly forwards: ReadonlyMap<string, Forward>;
  readonly accessLogs: ReadonlyMap<string, AccessLogFile>;
  readonly errors: ReadonlyMap<HostConfig, ErrorAnswers>;
  readonly context: GenerationContext;
  readonly explainHeader: ExplainHeader | undefined;
}

function createSiteHandler(site: SiteConfig, surroundings: SiteSurroundings): ExchangeHandler {
  const clients = createSiteClients(site);
  const entries = site.hosts.map((host): HostEntry<HostHandlers> => {
    const forward = surroundings.forwards.get(forwardKey(host));
    const errors = surroundings.errors.get(host) as ErrorAnswers;
    const handlers: HostHandlers = {
      rules: createRules(host, surroundings),
      proxy: forward ? createHostProxy(site, host, { forward, clients, errors }) : notFoundPage(host, errors),
    };
    const value = host.compress ? compressAnswers(handlers, surroundings.context.compression) : handlers;
    return { match: host.match, value };
  });
  const hosts = createHostTable(entries, site);
  const pipeline = createPipeline({ hosts, explainHeader: surroundings.explainHeader });
  const file = surroundings.accessLogs.get(site.access_log?.path ?? "");
  if (site.access_log === undefined || file === undefined) return pipeline;
  return createAccessLogHandler(pipeline, {
    format: createAccessFormat(site.access_log.format),
    file,
    clients,
  });
}

/** Without a backend there is only the page of one's own, if there is one. */
function notFoundPage({ error_pages }: HostConfig, errors: ErrorAnswers): HostHandlers["proxy"] {
  return error_pages[404] === undefined
    ? undefined
    : { handle: (exchange) => void errors.answer(exchange, 404) };
}

function createSiteClients({ trusted_proxies, trusted_headers }: SiteConfig): ClientAddressResolver {
  const trusts = (name: SiteConfig["trusted_headers"][number]): boolean => trusted_headers.includes(name);
  return createClientAddress(trusted_proxies, {
    forwarded: trusts("forwarded"),
    xForwardedFor: trusts("x-forwarded-for"),
    xForwardedHost: trusts("x-forwarded-host"),
    xForwardedProto: trusts("x-forwarded-proto"),
    xForwardedBy: trusts("x-forwarded-by"),
  });
}

function createRules(
  { project }: HostConfig,
  { config, replicas, context }: SiteSurroundings,
): ProjectHandler | undefined {
  const source = project === undefined ? undefined : replicas.get(project);
  const settings = project === undefined ? undefined : config.projects[project];
  if (project === undefined || source === undefined || settings === undefined) return undefined;
  const { compat, debug } = settings;
  const [requests, hits] = [context.redirectRequests, context.hitsOf(project)];
  return createRedirectHandler({ project, source, compat, debug, hits, requests });
}

function createHostProxy(
  site: SiteConfig,
  host: HostConfig,
  {
    forward,
    clients,
    errors,
  }: {
    readonly forward: Forward;
    readonly clients: ClientAddressResolver;
    readonly errors: ErrorAnswers;
  },
): ProxyHandler {
  return createProxyHandler({
    forward,
    errors,
    host: host.preserve_host ? undefined : backendHost(host.forward?.upstreams[0] ?? ""),
    clients,
    forwarding: createForwarding(host.forwarded_for_strategy, { by: "" }),
    name: "posthouse",
    requestIdHeader: site.request_id,
  });
}

/** A changed project that had rules must have rules again before it takes over. */
async function awaitReady(replica: Replica, before: Replica | undefined, stop: AbortSignal): Promise<void> {
  if (before === undefined || before === replica || before.ruleSet === undefined || replica.ruleSet) return;
  const done = new AbortController();
  const giveUp = sleep(readyWithinMs, undefined, { signal: AbortSignal.any([done.signal, stop]) }).catch(
    () => {},
  );
  await Promise.race([replica.ready(), giveUp]);
  done.abort();
  if (replica.ruleSet) return;
  const { lastError } = replica.status;
  throw agentErrors.create("RELOAD_NOT_READY", {
    project: replica.project,
    seconds: readyWithinMs / 1000,
    reason: lastError?.message ?? "no answer yet",
  });
}
