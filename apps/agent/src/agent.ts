/**
 * The composition root. An agent owns the metrics and one generation of parts (generation.ts): the admin address, a
 * replica per project, a listener per site. `start` builds the first generation, `reload` the next beside it, `stop`
 * ends the last: sites first, so that running requests finish; the admin address last, so that health answers till then.
 */
import { formatListen, type Log, type Part, stopParts } from "@posthouse/service";
import { isLoopback } from "./admin/access.ts";
import { createReloads } from "./config/reloads.ts";
import type { AgentConfig } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import { createMetrics } from "./core/metrics.ts";
import { registerEventMetrics } from "./events/metrics.ts";
import { createFlagMetrics } from "./flags/metrics.ts";
import { createGeneration, type Generation, type GenerationContext } from "./generation.ts";
import { createAccessLogCounters } from "./http/access-log/metrics.ts";
import { createCompression } from "./http/compression/compression.ts";
import { createHttpCounters } from "./http/http-metrics.ts";
import type { HttpServer } from "./http/node1.ts";
import { createTlsMetrics } from "./http/tls-metrics.ts";
import { createForwardCounters } from "./proxy/metrics.ts";
import { registerUpstreamMetrics } from "./proxy/upstream-metrics.ts";
import { createViaName } from "./proxy/via.ts";
import { registerHitMetrics } from "./redirects/hit-metrics.ts";
import { createHits, type Hits } from "./redirects/hits.ts";
import { registerFlagSourceMetrics } from "./replica/featbit/metrics.ts";
import { registerReplicaMetrics } from "./replica/metrics.ts";
import { createRetirements } from "./retirements.ts";

export interface Agent extends Part {
  /** Where it listens, as `host:port`, while it runs; sites in the order of the configuration. */
  readonly addresses: { readonly admin?: string; readonly sites: readonly string[]; readonly flags?: string };
  /**
   * Changes to another configuration, or to what a function reads, without losing a connection that stays. When that
   * cannot be read or cannot run, logs why, goes on with the old one and throws the reason; `/status` shows it until a
   * reload succeeds.
   */
  reload(next: AgentConfig | (() => Promise<AgentConfig>)): Promise<AgentConfig>;
}

export interface AgentOptions {
  readonly log: Log;
  /** Named in log entries about the configuration. */
  readonly configPath?: string;
}

/** Makes an agent; nothing happens before `start`, which throws coded errors. */
export function createAgent(config: AgentConfig, { log, configPath }: AgentOptions): Agent {
  let current: Generation | undefined;
  let stopped = new AbortController();
  let queue: Promise<unknown> = Promise.resolve();

  const metrics = createMetrics();
  registerReplicaMetrics(metrics, () => current?.replicas.values() ?? []);
  registerFlagSourceMetrics(metrics, () => current?.flags?.job.source);
  registerUpstreamMetrics(metrics, () => current?.forwards.values() ?? []);
  registerEventMetrics(metrics, () => current?.events);
  const reloads = createReloads(metrics);
  const retirements = createRetirements(log, metrics);
  const hits = new Map<string, Hits>();
  registerHitMetrics(metrics, hits);
  const hitsOf = (project: string): Hits => {
    const known = hits.get(project) ?? createHits(log.child({ project }));
    hits.set(project, known);
    return known;
  };
  const context: GenerationContext = {
    log,
    metrics,
    hitsOf,
    redirectRequests: metrics.counter(
      "posthouse_redirects_requests_total",
      "Requests by what the rules said.",
      ["project", "result"],
    ),
    httpCounters: createHttpCounters(metrics),
    forwardCounters: createForwardCounters(metrics),
    tlsMetrics: createTlsMetrics(metrics),
    accessLogCounters: createAccessLogCounters(metrics),
    compression: createCompression(metrics),
    flagMetrics: createFlagMetrics(metrics),
    viaName: createViaName(),
    startedAt: new Date(),
    configurationFailure: () => reloads.failure,
    stopSignal: () => stopped.signal,
  };

  /** One change at a time, in the order asked for. */
  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = queue.then(change);
    queue = done.catch(() => {});
    return done;
  }

  async function advance(next: AgentConfig): Promise<void> {
    const old = current;
    const generation = await createGeneration(next, context, old);
    generation.activate();
    current = generation;
    for (const project of hits.keys()) if (!generation.replicas.has(project)) hits.delete(project);
    warnAboutAdmin(next, log);
    const leaving = old?.parts.filter((part) => !generation.parts.includes(part)) ?? [];
    retirements.add(leaving, next.drain.reload, next.drain.stop);
  }

  const agent: Agent = {
    name: "agent",
    get addresses() {
      const sites = current?.sites.map(printAddress) ?? [];
      return {
        ...(current?.admin && { admin: printAddress(current.admin) }),
        sites,
        ...(current?.flags && { flags: printAddress(current.flags.server) }),
      };
    },
    start: () =>
      inTurn(async () => {
        if (current) return;
        stopped = new AbortController();
        metrics.start();
        try {
          await advance(config);
        } catch (error) {
          metrics.stop();
          throw error;
        }
        log.info({ name: config.name, ...agent.addresses }, "agent started");
      }),
    reload: (next) =>
      inTurn(async () => {
        if (!current || stopped.signal.aborted) throw agentErrors.create("AGENT_NOT_RUNNING");
        try {
          const config = typeof next === "function" ? await next() : next;
          await advance(config);
          reloads.succeeded();
          log.info({ file: configPath }, "configuration reloaded");
          return config;
        } catch (error) {
          reloads.failed(error);
          log.error(
            { error, file: configPath },
            "the changed configuration is not used; the old one goes on",
          );
          throw error;
        }
      }),
    stop(deadlineMs) {
      stopped.abort();
      return inTurn(async () => {
        const last = current;
        current = undefined;
        metrics.stop();
        // All sites at once, so that none takes requests while another finishes its own.
        const sites = last?.sites.map((site) => site.stop(deadlineMs)) ?? [];
        const ends = [...sites, last && stopParts(last.parts, deadlineMs), retirements.stop(deadlineMs)];
        for (const end of await Promise.allSettled(ends)) if (end.status === "rejected") throw end.reason;
      });
    },
  };
  return agent;
}

const printAddress = ({ address }: HttpServer): string => (address ? formatListen(address) : "");

function warnAboutAdmin({ admin }: AgentConfig, log: Log): void {
  if (!admin || admin.token || admin.listen.path !== undefined || isLoopback(admin.listen.host)) return;
  log.warn(
    { listen: formatListen(admin.listen) },
    "metrics and status are open to other machines: set admin.token, or listen on 127.0.0.1",
  );
}
