import type { Metrics, Tally } from "../core/metrics.ts";
import type { RefusalReason } from "./node1-refusals.ts";

export interface HttpCounters {
  readonly requests: Tally;
  readonly connections: Tally;
  readonly open: Tally;
  /** Upgrades that are not answered yet. */
  readonly upgrading: Tally;
  readonly refused: Readonly<Record<RefusalReason, Tally>>;
  readonly failed: Tally;
  /** Connections closed because nothing was asked on them for long. */
  readonly idle: Tally;
  /** How often a connection of HTTP/2 had all its streams in use. */
  readonly allStreams: Tally;
}

/** Registers what HTTP servers count; the label `listener` tells them apart. */
export function createHttpCounters(metrics: Metrics): (listener: string) => HttpCounters {
  const requests = metrics.counter("posthouse_http_requests_total", "Requests that arrived.", ["listener"]);
  const connections = metrics.counter("posthouse_http_connections_total", "Connections accepted.", [
    "listener",
  ]);
  const refused = metrics.counter("posthouse_http_refused_total", "Requests and connections refused.", [
    "listener",
    "reason",
  ]);
  const failed = metrics.counter("posthouse_http_failed_total", "Requests answered with 500.", ["listener"]);
  const idle = metrics.counter("posthouse_http_idle_closed_total", "Connections closed after keep_alive.", [
    "listener",
  ]);
  const allStreams = metrics.counter(
    "posthouse_http2_all_streams_total",
    "How often a connection of HTTP/2 had http2_streams requests at once, the most it may have.",
    ["listener"],
  );
  const open = new Map<string, Tally>();
  metrics.gauge("posthouse_http_open_connections", "Connections open now.", ["listener"], (report) => {
    for (const [listener, { value }] of open) report({ listener }, value);
  });
  const upgrading = new Map<string, Tally>();
  metrics.gauge(
    "posthouse_http_upgrades_waiting",
    "Upgrades not answered yet; of each at most 128 KiB that the client sent early are kept.",
    ["listener"],
    (report) => {
      for (const [listener, { value }] of upgrading) report({ listener }, value);
    },
  );
  return (listener) => {
    const upgradingHere = upgrading.get(listener) ?? { value: 0 };
    upgrading.set(listener, upgradingHere);
    const openHere = open.get(listener) ?? { value: 0 };
    open.set(listener, openHere);
    const refusal = (reason: RefusalReason): Tally => refused.with({ listener, reason });
    return {
      requests: requests.with({ listener }),
      connections: connections.with({ listener }),
      open: openHere,
      upgrading: upgradingHere,
      failed: failed.with({ listener }),
      idle: idle.with({ listener }),
      allStreams: allStreams.with({ listener }),
      refused: {
        host: refusal("host"),
        syntax: refusal("syntax"),
        too_large: refusal("too_large"),
        timeout: refusal("timeout"),
        connections: refusal("connections"),
        tls: refusal("tls"),
        proxy_protocol: refusal("proxy_protocol"),
        resets: refusal("resets"),
        requests: refusal("requests"),
        slow_reader: refusal("slow_reader"),
      },
    };
  };
}
