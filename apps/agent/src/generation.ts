/**
 * A generation is everything that one configuration needs, running. The next one is built beside it: what did not
 * change (a replica with the same settings, a listener with the same address) is taken over as it is, the rest is made
 * and started. Nothing of the old one is touched before `activate`, so a generation that fails leaves no trace.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ConfigLocator,
  formatListen,
  type ListenAddress,
  type Log,
  type Part,
  startParts,
  stopParts,
} from "@posthouse/service";
import { createAdminHandler } from "./admin/handler.ts";
import { describeStatus } from "./admin/status.ts";
import type { EventsConfig } from "./config/events.ts";
import type { FlagsConfig } from "./config/flags.ts";
import type { ListenerConfig } from "./config/listener.ts";
import { atPlace, placesOf } from "./config/places.ts";
import type { AgentConfig, SiteConfig } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import type { Failure } from "./core/failure.ts";
import type { Metrics, Tallies } from "./core/metrics.ts";
import { createEventsControl } from "./events/control.ts";
import { createEventsJob, type EventsJob } from "./events/job.ts";
import { createFlagsJob, type FlagsJob } from "./flags/job.ts";
import type { FlagMetrics } from "./flags/metrics.ts";
import type { AccessLogCounters, AccessLogFile } from "./http/access-log/file.ts";
import { createAccessLogFiles } from "./http/access-log/files.ts";
import type { Compression } from "./http/compression/compression.ts";
import { createDoor, type Door } from "./http/door.ts";
import type { ExchangeHandler } from "./http/exchange.ts";
import { createExplainHeader } from "./http/explain-header.ts";
import type { HttpCounters } from "./http/http-metrics.ts";
import { createNetworks } from "./http/ip-networks.ts";
import { createNode1Server, type HttpServer } from "./http/node1.ts";
import type { ServerRole } from "./http/server-role.ts";
import { createTls, type Tls, tlsKey } from "./http/tls.ts";
import type { TlsMetrics } from "./http/tls-metrics.ts";
import type { Forward } from "./proxy/forward.ts";
import { createForwards } from "./proxy/forwards.ts";
import { createHostErrors } from "./proxy/host-errors.ts";
import type { ForwardCounters } from "./proxy/metrics.ts";
import { createRedirectsHealth } from "./redirects/health.ts";
import { listHits } from "./redirects/hit-list.ts";
import type { Hits } from "./redirects/hits.ts";
import { createFileReplica } from "./replica/file.ts";
import { createManagerReplica } from "./replica/manager.ts";
import { type Replica, type ReplicaOptions, replicaKey } from "./replica/replica.ts";
import { prepareStateDirectory } from "./replica/state-directory.ts";
import { createSiteHandler } from "./site-handler.ts";

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
  readonly flagMetrics: FlagMetrics;
  /** Name of this agent in `Via`. */
  readonly viaName: string;
  readonly startedAt: Date;
  /** Why the configuration as it is now is not used; undefined while it is. */
  readonly configurationFailure: () => Failure | undefined;
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
  readonly flags: { readonly job: FlagsJob; readonly server: HttpServer } | undefined;
  readonly events: EventsJob | undefined;
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
  const at = placesOf(config);
  await atPlace(at(["state"]), () => prepareStateDirectory(config.state));
  const parts: Part[] = [];
  const roles = new Map<HttpServer, ServerRole>();
  /** By the key of the listener in the configuration: `sites.0`, `flags`. */
  const tlsOf = new Map<string, Tls>();

  const replicas = new Map<string, Replica>();
  const replicaOptions = Object.entries(config.projects).map(([project, projectConfig]) => ({
    project,
    config: projectConfig,
    agentName: config.name,
    state: config.state,
    log: context.log,
  }));

  /** What connections pass first; its certificates are read again when its settings changed. */
  const takeDoor = (
    { tls: config, proxy_protocol }: ListenerConfig,
    listener: string,
    path: readonly PropertyKey[],
  ): Door | undefined => {
    if (config === undefined && proxy_protocol === undefined) return undefined;
    const key = config && tlsKey({ listener, config });
    const same = old?.parts.find((part): part is Tls => "key" in part && part.key === key);
    const { log, tlsMetrics: metrics } = context;
    const inTls: ConfigLocator = (inner) => at([...path, "tls", ...inner]);
    const tls = config && (same ?? createTls({ config, listener, at: inTls, log, metrics }));
    if (tls !== undefined) {
      parts.push(tls);
      tlsOf.set(path.join("."), tls);
    }
    return createDoor({ tls, announcing: createNetworks(proxy_protocol?.from ?? []) });
  };

  /** A server is known by its address, so that a site and the admin address may change places. */
  const takeServer = (
    role: string,
    { listen, address, place }: NamedListen,
    handler: ExchangeHandler,
    { door, limits }: Pick<ServerRole, "door" | "limits"> = {},
  ): HttpServer => {
    const name = listen.port === 0 ? `${role} ${address}` : `listener ${address}`;
    const same = old?.parts.find((part) => part.name === name) as HttpServer | undefined;
    const serving = { handler, counters: context.httpCounters(`${role} ${address}`), door, limits };
    const server = same ?? createNode1Server({ name, listen, place, role: serving, log: context.log });
    roles.set(server, serving);
    return server;
  };

  for (const options of replicaOptions) {
    const same = old?.replicas.get(options.project);
    replicas.set(options.project, same?.key === replicaKey(options) ? same : createReplica(options));
  }

  const flags = config.flags && takeFlags(config.flags);
  function takeFlags(settings: FlagsConfig): NonNullable<Generation["flags"]> {
    const { log, flagMetrics: metrics } = context;
    const { name: agentName, state } = config;
    const job = createFlagsJob({ config: settings, agentName, state, metrics, log }, old?.flags?.job);
    const { listen, limits } = settings;
    const named = { listen, address: formatListen(listen), place: at(["flags", "listen"]) };
    const door = takeDoor(settings, `flags ${named.address}`, ["flags"]);
    return { job, server: takeServer("flags", named, job.handler, { door, limits }) };
  }

  const events = config.events && takeEvents(config.events);
  /** What it keeps is in the state directory: with the same one it is the same job, which changes when this is activated. */
  function takeEvents(settings: EventsConfig): EventsJob {
    const { log } = context;
    const same = old?.events?.state === config.state ? old.events : undefined;
    return same ?? createEventsJob({ state: config.state, config: settings, log });
  }

  let admin: HttpServer | undefined;
  if (config.admin) {
    const { listen, token, hosts = [] } = config.admin;
    const address = formatListen(listen);
    const loadedAt = new Date();
    const copies = [...replicas.values()];
    const handler = createAdminHandler({
      token,
      hosts,
      areas: events === undefined ? [] : [createEventsControl(events, context.log)],
      jobs: [
        ...(config.sites.length === 0 ? [] : [createRedirectsHealth(copies)]),
        ...(flags === undefined ? [] : [flags.job.health]),
        ...(events === undefined ? [] : [events.health]),
      ],
      metrics: context.metrics,
      status: () =>
        describeStatus({
          config,
          loadedAt,
          projects: copies,
          flags: flags && { certificateFailure: tlsOf.get("flags")?.failure, ...flags.job.status() },
          certificateFailure: (site) => tlsOf.get(`sites.${site}`)?.failure,
          events: events?.status(),
          ...context,
        }),
      hits: (project, options) => {
        const replica = replicas.get(project);
        return replica && listHits(replica.ruleSet, context.hitsOf(project), options);
      },
      insights: flags?.job.insights.export,
      stopping: () => context.stopSignal().aborted,
      log: context.log,
    });
    admin = takeServer("admin", { listen, address, place: at(["admin", "listen"]) }, handler);
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
  const sites = nameSites(config.sites).map(({ site, listen, address }, index) =>
    takeServer(
      "site",
      { listen, address, place: at(["sites", index, "listen"]) },
      createSiteHandler(site, surroundings),
      {
        door: takeDoor(site, `site ${address}`, ["sites", index]),
        limits: site.limits,
      },
    ),
  );
  parts.push(...sites);
  if (flags !== undefined) parts.push(...flags.job.parts, flags.server);
  if (events !== undefined) parts.push(events);

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
    flags,
    events,
    forwards,
    accessLogs,
    activate() {
      for (const [server, role] of roles) server.role = role;
      flags?.job.activate();
      if (config.events && events === old?.events) events?.configure(config.events);
    },
  };
}

function createReplica(options: ReplicaOptions): Replica {
  return options.config.file === undefined ? createManagerReplica(options) : createFileReplica(options);
}

interface NamedListen {
  readonly listen: ListenAddress;
  readonly address: string;
  /** Where the configuration says so. */
  readonly place: string;
}

/** Several sites may have port 0: they are told apart by their order. */
function nameSites(
  sites: readonly SiteConfig[],
): (Omit<NamedListen, "place"> & { readonly site: SiteConfig })[] {
  const seen = new Map<string, number>();
  return sites.map((site) => {
    const { listen } = site;
    const address = formatListen(listen);
    const count = (seen.get(address) ?? 0) + 1;
    seen.set(address, count);
    return { site, listen, address: count === 1 ? address : `${address} #${count}` };
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
