/** All that SDKs, other agents and FeatBit's back-end ask of the agent, from its copy of the flags. */
import type { Log, Part } from "@posthouse/service";
import type { FlagsConfig } from "../config/flags.ts";
import type { Exchange, ExchangeHandler } from "../http/exchange.ts";
import type { FlagSource } from "../replica/featbit/flag-source.ts";
import type { FlagStore } from "../replica/featbit/flag-store.ts";
import { createAdmission } from "./admission.ts";
import { createAgentEndpoints } from "./agent-endpoints.ts";
import { createFeeds } from "./feeds.ts";
import type { FlagMetrics } from "./metrics.ts";
import { createOfrep } from "./ofrep.ts";
import { createPolling } from "./polling.ts";
import { createRelayAccess, type RelayAgent } from "./relay-access.ts";
import { createRouter, type Route } from "./router.ts";
import type { Session } from "./session.ts";
import { createStreamServer } from "./stream-server.ts";

export interface FlagsListener extends Part {
  /** Takes every request. */
  readonly handler: ExchangeHandler;
  readonly store: FlagStore;
  readonly sessions: ReadonlySet<Session>;
  /** Agents that have their flags from this one. */
  agents(): Readonly<Record<string, RelayAgent>>;
  /** Goes on with these settings, from this source, and with insights going this way. */
  configure(config: FlagsConfig, source: FlagSource | undefined, track?: Route): void;
}

export interface FlagsListenerOptions {
  readonly store: FlagStore;
  readonly metrics: FlagMetrics;
  readonly log: Log;
}

export function createFlagsListener(
  first: FlagsConfig,
  { store, metrics, log }: FlagsListenerOptions,
): FlagsListener {
  let config = first;
  let source: FlagSource | undefined;
  let track: Route | undefined;
  const feeds = createFeeds(store, metrics.evaluations);
  const relays = createRelayAccess(config.relay_keys);
  const streams = createStreamServer({
    feeds,
    admit: createAdmission({ store, feeds, relays, toleranceMs: () => config.token_tolerance }),
    limits: config.sessions,
    metrics,
    onStatus: takeStatus,
    log,
  });
  metrics.readSessions = () => streams.sessions;
  const polling = createPolling({ store, feeds, metrics, maxUserBytes: () => config.bodies.user });
  const ofrep = createOfrep({
    store,
    maxBodyBytes: () => config.bodies.user,
    requests: metrics.ofrep,
    evaluations: metrics.evaluations,
    keyRefused: (status) => metrics.keyRefused("ofrep", status),
    log,
  });
  const agent = createAgentEndpoints({
    store,
    source: () => source,
    relays,
    apiKey: () => config.api_key,
    maxBootstrapBytes: () => config.bodies.bootstrap,
  });
  const proxy = (prefix: string): Parameters<typeof createRouter>[0]["routes"] => ({
    [`${prefix}/status`]: { GET: agent.status },
    [`${prefix}/bootstrap`]: { POST: agent.bootstrap },
    [`${prefix}/backup`]: { GET: agent.backup },
  });
  const router = createRouter({
    routes: {
      "/health/liveness": { GET: agent.liveness },
      "/health/readiness": { GET: agent.readiness },
      ...proxy("/api/public/proxy"),
      ...proxy("/api/proxy"),
      "/api/public/sdk/server/latest-all": { GET: polling.server },
      "/api/public/sdk/client/latest-all": { POST: polling.client },
      "/api/public/agent/register": { POST: agent.register },
      "/api/public/insight/track": {
        POST: (exchange, query) => (track ?? dropInsights)(exchange, query),
      },
    },
    stream: streams.accept,
    log,
  });

  /** What an agent behind this one says of itself (2.5). */
  function takeStatus({ topic }: Session, data: unknown): void {
    const { agentId, status } = Object(data) as { agentId?: unknown; status?: unknown };
    if (topic.kind === "relay" && typeof agentId === "string") relays.report(agentId, status);
  }

  /** Relays whose key is gone, or opens something else now, have to come anew. */
  function leaveRelays(): void {
    for (const { topic, socket } of streams.sessions) {
      if (topic.admitted !== undefined && !relays.holds(topic.admitted))
        socket.close(1001, "relay keys changed");
    }
  }

  return {
    name: "flags listener",
    handler: {
      handle: (exchange) => void (ofrep.handle(exchange) || router.handle(exchange)),
      leave: streams.leave,
    },
    store,
    sessions: streams.sessions,
    agents: relays.agents,
    configure(next, nextSource, nextTrack) {
      config = next;
      source = nextSource;
      track = nextTrack;
      streams.limits = next.sessions;
      relays.keys = next.relay_keys;
      leaveRelays();
    },
    start: () => Promise.resolve(streams.start()),
    async stop() {
      feeds.close();
      streams.stop();
    },
  };
}

/** Any other answer would have SDKs send no more events until they start again (6). */
function dropInsights(exchange: Exchange): void {
  exchange.body?.resume();
  exchange.answer(200, [], "");
}
