/**
 * The composition root. An agent owns the metrics and one generation of parts (generation.ts): the admin address, a
 * replica per project, a listener per site. `start` builds the first generation, `reload` the next beside it, `stop`
 * ends the last: sites first, so that running requests finish; the admin address last, so that health answers till then.
 */
import { formatListen, type Log, type Part, stopParts } from "@posthouse/service";
import { isLoopback } from "./admin/access.ts";
import type { AgentConfig } from "./config/schema.ts";
import { agentErrors } from "./core/errors.ts";
import { createMetrics } from "./core/metrics.ts";
import { createGeneration, type Generation, type GenerationContext } from "./generation.ts";
import { createAccessLogCounters } from "./http/access-log/metrics.ts";
import { createCompression } from "./http/compression/compression.ts";
import { createHttpCounters, type HttpServer } from "./http/node1.ts";
import { createTlsMetrics } from "./http/tls-metrics.ts";
import { createForwardCounters } from "./proxy/metrics.ts";
import { registerUpstreamMetrics } from "./proxy/upstream-metrics.ts";
import { registerHitMetrics } from "./redirects/hit-metrics.ts";
import { createHits, type Hits } from "./redirects/hits.ts";
import { registerReplicaMetrics } from "./replica/metrics.ts";

export interface Agent extends Part {
  /** Where it listens, as `host:port`, while it runs; sites in the order of the configuration. */
  readonly addresses: { readonly admin?: string; readonly sites: readonly string[] };
  /**
   * Changes to another configuration without losing a connection that stays. When the new one cannot run, logs why,
   * goes on with the old one and throws the reason.
   */
  reload(config: AgentConfig): Promise<void>;
}

export interface AgentOptions {
  readonly log: Log;
  /** Named in log entries about the configuration. */
  readonly configPath?: string;
}

const retireWithinMs = 10_000;

/** Makes an agent; nothing happens before `start`, which throws coded errors. */
export function createAgent(config: AgentConfig, { log, configPath }: AgentOptions): Agent {
  let current: Generation | undefined;
  let stopped = new AbortController();
  let retired: Promise<void> = Promise.resolve();
  let queue: Promise<unknown> = Promise.resolve();

  const metrics = createMetrics();
  registerReplicaMetrics(metrics, () => current?.replicas.values() ?? []);
  registerUpstreamMetrics(metrics, () => current?.forwards.values() ?? []);
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
    startedAt: new Date(),
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
    retired = Promise.all([
      retired,
      stopParts(leaving, retireWithinMs).catch((error) =>
        log.warn({ error }, "an old part did not stop cleanly"),
      ),
    ]).then(() => {});
  }

  const agent: Agent = {
    name: "agent",
    get addresses() {
      const sites = current?.sites.map(printAddress) ?? [];
      return current?.admin ? { admin: printAddress(current.admin), sites } : { sites };
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
          await advance(next);
          log.info({ file: configPath }, "configuration reloaded");
        } catch (error) {
          log.error({ error, file: configPath }, "the new configuration cannot run; the old one goes on");
          throw error;
        }
      }),
    stop(deadlineMs) {
      stopped.abort();
      return inTurn(async () => {
        const last = current;
        current = undefined;
        metrics.stop();
        await Promise.all([last && stopParts(last.parts, deadlineMs), retired]);
      });
    },
  };
  return agent;
}

const printAddress = ({ address }: HttpServer): string => (address ? formatListen(address) : "");

function warnAboutAdmin({ admin }: AgentConfig, log: Log): void {
  if (!admin || admin.token || isLoopback(admin.listen.host)) return;
  log.warn(
    { listen: formatListen(admin.listen) },
    "metrics and status are open to other machines: set admin.token, or listen on 127.0.0.1",
  );
}
