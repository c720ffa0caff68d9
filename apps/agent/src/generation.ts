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
import type { ExchangeHandler } from "./http/exchange.ts";
import { createNode1Server, type HttpCounters, type HttpServer } from "./http/node1.ts";
import { createPipeline } from "./http/pipeline.ts";
import { createHostTable } from "./http/sites.ts";
import { createRedirectHandler } from "./redirects/handler.ts";
import { createRedirectsHealth } from "./redirects/health.ts";
import { createReplica, type Replica, replicaKey } from "./replica/replica.ts";
import { prepareStateDirectory } from "./replica/state-directory.ts";

export interface GenerationContext {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly redirectRequests: Tallies;
  readonly httpCounters: (listener: string) => HttpCounters;
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
  const sites = config.sites.map((site, index) =>
    takeServer(names[index] ?? "", site.listen, createSiteHandler(site, replicas, context)),
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
  { redirectRequests }: GenerationContext,
): ExchangeHandler {
  const entries = site.hosts.flatMap(({ match, project }) => {
    const source = replicas.get(project);
    if (!source) return [];
    const { compat } = source.config;
    return [{ match, value: createRedirectHandler({ project, source, compat, requests: redirectRequests }) }];
  });
  return createPipeline(createHostTable(entries, site));
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
