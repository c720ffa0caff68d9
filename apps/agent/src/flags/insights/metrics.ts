import type { Metrics, Tally } from "../../core/metrics.ts";
import type { SpoolGauges } from "../../spool/counters.ts";

/** Why an event went no further. `refused_…`: by FeatBit, alone, with this status. */
export type InsightDrop =
  | "invalid"
  | "too_many"
  | "sampled"
  | "flag_off"
  | "unknown_key"
  | "expired"
  | "oldest"
  | `refused_${number}`;

/** Why a request was not taken as a whole. */
export type InsightRefusal = "too_large" | "not_json" | "busy" | "queue_full" | "queue_failed";

export interface InsightMetrics {
  accepted(environment: string): Tally;
  dropped(reason: InsightDrop): Tally;
  /** Requests of SDKs, by what is wrong with them or with us. */
  refused(reason: InsightRefusal): Tally;
  /** Requests that were not read, since the configuration says drop. */
  readonly unread: Tally;
  forwarded(environment: string): Tally;
  /** Requests to FeatBit, by what came of them. */
  requests(result: string): Tally;
  readonly retries: Tally;
  /** How the queue stands; undefined while there is none. */
  readQueue: () => SpoolGauges | undefined;
  /** Environments whose events are held. */
  readHeld: () => number;
}

/** Registers what insights count. Once per process. */
export function createInsightMetrics(metrics: Metrics): InsightMetrics {
  const prefix = "posthouse_flags_insights_";
  const counter = (name: string, help: string, label: string) => {
    const tallies = metrics.counter(`${prefix}${name}`, help, [label]);
    return (value: string): Tally => tallies.with({ [label]: value });
  };
  const api: InsightMetrics = {
    accepted: counter("accepted_total", "Events of SDKs that are on disk.", "environment"),
    dropped: counter("dropped_total", "Events that went no further.", "reason"),
    refused: counter("refused_total", "Requests of SDKs that were not taken as a whole.", "reason"),
    unread: metrics
      .counter(`${prefix}unread_total`, "Requests of SDKs that were not read: the mode is drop.")
      .with({}),
    forwarded: counter("forwarded_total", "Events that FeatBit took.", "environment"),
    requests: counter("requests_total", "Requests to FeatBit with events.", "result"),
    retries: metrics.counter(`${prefix}retries_total`, "Events that were sent again, by request.").with({}),
    readQueue: () => undefined,
    readHeld: () => 0,
  };
  const gauge = (name: string, help: string, read: (queue: SpoolGauges) => number): void =>
    metrics.gauge(`${prefix}${name}`, help, [], (report) => {
      const queue = api.readQueue();
      if (queue !== undefined) report({}, read(queue));
    });
  gauge("queue_events", "Events that wait, or are kept.", ({ records }) => records);
  gauge("queue_bytes", "Their bytes on disk.", ({ bytes }) => bytes);
  gauge("queue_age_seconds", "Age of the oldest.", ({ oldestAgeMs }) => oldestAgeMs / 1000);
  metrics.gauge(
    `${prefix}held_environments`,
    "Keys that FeatBit refused, whose events are held.",
    [],
    (report) => report({}, api.readHeld()),
  );
  return api;
}
