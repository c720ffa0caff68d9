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
import type { AgentConfig, SiteConfig } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import type { Metrics, Tallies } from "./core/metrics.ts";
import { createClientAddress } from "./http/client-address.ts";
import type { ExchangeHandler } from "./http/exchange.ts";
import { createNode1Server, type HttpCounters, type HttpServer } from "./http/node1.ts";
import { createPipeline, type HostHandlers } from "./http/pipeline.ts";
import { createHostTable, type HostEntry } from "./http/sites.ts";
import { backendHost } from "./proxy/backend-address.ts";
import type { Forward } from "./proxy/forward.ts";
import { createForwarding } from "./proxy/forwarded.ts";
import { createForwards, forwardKey } from "./proxy/forwards.ts";
import { createProxyHandler } from "./proxy/handler.ts";
import type { ForwardCounters } from "./proxy/metrics.ts";
import { createRedirectHandler } from "./redirects/handler.ts";
import { createRedirectsHealth } from "./redirects/health.ts";
import { createReplica, type Replica, replicaKey } from "./replica/replica.ts";
import { prepareStateDirectory } from "./replica/state-directory.ts";

export interface GenerationContext {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly redirectRequests: Tallies;
  readonly httpCounters: (listener: string) => HttpCounters;
  readonly forwardCounters: (site: string) => ForwardCounters;
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
  const handlers = new Map<HttpServer, ExchangeHandler>();

  const replicas = new Map<string, Replica>();
  const replicaOptions = Object.entries(config.projects).map(([project, projectConfig]) => ({
    project,
    config: projectConfig,
    agentName: config.name,
    state: config.state,
    log: context.log,
  }));

  const takeServer = (name: string, listen: ListenAddress, handler: ExchangeHandler): HttpServer => {
    const same = old?.parts.find((part) => part.name === name) as HttpServer | undefined;
    const counters = context.httpCounters(name);
    const server = same ?? createNode1Server({ name, listen, handler, counters, log: context.log });
    handlers.set(server, handler);
    return server;
  };

  for (const options of replicaOptions) {
    const same = old?.replicas.get(options.project);
    replicas.set(options.project, same?.key === replicaKey(options) ? same : createReplica(options));
  }

  let admin: HttpServer | undefined;
  if (config.admin) {
    const { listen, token } = config.admin;
    const loadedAt = new Date();
    const copies = [...replicas.values()];
    const handler = createAdminHandler({
      token,
      jobs: config.sites.length === 0 ? [] : [createRedirectsHealth(copies)],
      metrics: context.metrics,
      status: () => describeStatus({ config, startedAt: context.startedAt, loadedAt, projects: copies }),
      stopping: () => context.stopSignal().aborted,
      log: context.log,
    });
    admin = takeServer(`admin ${formatListen(listen)}`, listen, handler);
    parts.push(admin);
  }
  parts.push(...replicas.values());
  const names = siteNames(config.sites);
  const forwards = await createForwards(config, context, old?.forwards);
  parts.push(...forwards.values());
  const sites = config.sites.map((site, index) =>
    takeServer(names[index] ?? "", site.listen, createSiteHandler(site, replicas, forwards, context)),
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
    activate() {
      for (const [server, handler] of handlers) server.handler = handler;
    },
  };
}

/** Listeners are known by their address; several with port 0 by their order. */
function siteNames(sites: readonly SiteConfig[]): string[] {
  const seen = new Map<string, number>();
  return sites.map(({ listen }) => {
    const address = formatListen(listen);
    const count = (seen.get(address) ?? 0) + 1;
    seen.set(address, count);
    return count === 1 ? `site ${address}` : `site ${address} #${count}`;
  });
}

function createSiteHandler(
  site: SiteConfig,
  replicas: ReadonlyMap<string, Replica>,
  forwards: ReadonlyMap<string, Forward>,
  { redirectRequests }: GenerationContext,
): ExchangeHandler {
  const trusts = (name: SiteConfig["trusted_headers"][number]): boolean => site.trusted_headers.includes(name);
  const clients = createClientAddress(site.trusted_proxies, {
    forwarded: trusts("forwarded"),
    xForwardedFor: trusts("x-forwarded-for"),
    xForwardedHost: trusts("x-forwarded-host"),
    xForwardedProto: trusts("x-forwarded-proto"),
    xForwardedBy: trusts("x-forwarded-by"),
  });
  const entries = site.hosts.map((host): HostEntry<HostHandlers> => {
    const { match, project } = host;
    const source = project === undefined ? undefined : replicas.get(project);
    const forward = forwards.get(forwardKey(host));
    return {
      match,
      value: {
        rules:
          project === undefined || source === undefined
            ? undefined
            : createRedirectHandler({
                project,
                source,
                compat: source.config.compat,
                requests: redirectRequests,
              }),
        proxy:
          forward === undefined
            ? undefined
            : createProxyHandler({
                forward,
                host: host.preserve_host ? undefined : backendHost(host.forward?.upstreams[0] ?? ""),
                clients,
                forwarding: createForwarding(host.forwarded_for_strategy, { by: "" }),
                name: "posthouse",
                requestIdHeader: site.request_id,
              }),
      },
    };
  });
  return createPipeline(createHostTable(entries));
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
