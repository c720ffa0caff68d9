import type { Histogram } from "../core/histogram.ts";
import type { Metrics, Tallies, Tally } from "../core/metrics.ts";
import type { RefusalCause } from "./admission.ts";
import { createInsightMetrics, type InsightMetrics } from "./insights/metrics.ts";
import type { Session, SessionCounters } from "./session.ts";
import type { SessionKind } from "./topic.ts";

/** Whose numbers: `kind` and the environment's name. */
export interface Counted {
  readonly kind: SessionKind;
  readonly name: string;
}

export interface FlagMetrics {
  /** Open now. */
  sessions(of: Counted): Tally;
  sessionCounters(of: Counted): SessionCounters;
  /** Refused after the upgrade. */
  refused(cause: RefusalCause): Tally;
  /** Sockets on which the protocol was broken. */
  readonly broken: Tally;
  /** By environment. */
  readonly evaluations: Tallies;
  polled(of: Counted): Tally;
  /** Requests over HTTP with a key that does not exist, or is not known yet. */
  keyRefused(by: "poll_server" | "poll_client" | "ofrep", status: 401 | 503): Tally;
  /** Requests of OpenFeature SDKs, by environment and status. */
  readonly ofrep: Tallies;
  readonly insights: InsightMetrics;
  /** Whose bytes wait now. */
  readSessions: () => Iterable<Session>;
}

/** Seconds. */
const fanOutBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

/** Registers what the flags job counts. Once per process. */
export function createFlagMetrics(metrics: Metrics): FlagMetrics {
  const labels = ["environment", "kind"] as const;
  const of = ({ kind, name: environment }: Counted): Record<(typeof labels)[number], string> => ({
    environment,
    kind,
  });
  const open = new Map<string, { readonly counted: Counted; readonly tally: Tally }>();
  metrics.gauge("posthouse_flags_sessions", "SDKs and relays connected now.", labels, (report) => {
    for (const { counted, tally } of open.values()) report(of(counted), tally.value);
  });
  metrics.gauge("posthouse_flags_queued_bytes", "Bytes that SDKs have not taken yet.", labels, (report) => {
    const sums = new Map<string, { readonly counted: Counted; bytes: number }>();
    for (const { topic, socket } of api.readSessions()) {
      const key = keyOf(topic);
      const sum = sums.get(key) ?? { counted: topic, bytes: 0 };
      sum.bytes += socket.queuedBytes;
      sums.set(key, sum);
    }
    for (const { counted, bytes } of sums.values()) report(of(counted), bytes);
  });
  const received = metrics.counter("posthouse_flags_messages_received_total", "Messages of SDKs.", [
    ...labels,
    "type",
  ]);
  const sent = metrics.counter("posthouse_flags_messages_sent_total", "Messages to SDKs.", labels);
  const dropped = metrics.counter(
    "posthouse_flags_messages_dropped_total",
    "Messages of SDKs that had no effect.",
    [...labels, "reason"],
  );
  const lost = metrics.counter("posthouse_flags_sessions_dropped_total", "Sessions that were given up.", [
    ...labels,
    "reason",
  ]);
  const refused = metrics.counter("posthouse_flags_sessions_refused_total", "Sockets refused by a close.", [
    "cause",
  ]);
  const polled = metrics.counter("posthouse_flags_polls_total", "Requests of SDKs that poll.", labels);
  const keysRefused = metrics.counter(
    "posthouse_flags_keys_refused_total",
    "Requests refused for their key: 401, it does not exist; 503, it may become known. Sockets are counted elsewhere.",
    ["by", "status"],
  );
  const fanOut = metrics.histogram(
    "posthouse_flags_fan_out_seconds",
    "From a change to the message that tells an SDK.",
    labels,
    fanOutBounds,
  );
  const counters = new Map<string, SessionCounters>();

  const api: FlagMetrics = {
    sessions(counted) {
      const key = keyOf(counted);
      const known = open.get(key) ?? {
        counted: { kind: counted.kind, name: counted.name },
        tally: { value: 0 },
      };
      open.set(key, known);
      return known.tally;
    },
    sessionCounters(counted) {
      const key = keyOf(counted);
      const known = counters.get(key) ?? makeCounters(counted);
      counters.set(key, known);
      return known;
    },
    refused: (cause) => refused.with({ cause }),
    broken: metrics
      .counter("posthouse_flags_sockets_broken_total", "Sockets that broke the protocol.")
      .with({}),
    evaluations: metrics.counter("posthouse_flags_evaluations_total", "Flags evaluated for client SDKs.", [
      "environment",
    ]),
    polled: (counted) => polled.with(of(counted)),
    keyRefused: (by, status) => keysRefused.with({ by, status: String(status) }),
    ofrep: metrics.counter("posthouse_flags_ofrep_requests_total", "Requests of OpenFeature SDKs.", [
      "environment",
      "status",
    ]),
    insights: createInsightMetrics(metrics),
    readSessions: () => [],
  };

  function makeCounters(counted: Counted): SessionCounters {
    const at = of(counted);
    const observed: Histogram = fanOut.with(at);
    return {
      received: (type) => received.with({ ...at, type }),
      sent: sent.with(at),
      dropped: (reason) => dropped.with({ ...at, reason }),
      fanOut: observed,
      lost: (reason) => lost.with({ ...at, reason }),
    };
  }
  return api;
}

const keyOf = ({ kind, name }: Counted): string => `${kind} ${name}`;
