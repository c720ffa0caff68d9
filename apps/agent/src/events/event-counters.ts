import { Histogram } from "../core/histogram.ts";

/** What became of events since the pipeline was made. Plain numbers: whoever shows them reads them when asked. */
export class EventCounters {
  /** Messages read from the spool, and the valid events in them. */
  messages = 0;
  events = 0;
  /** Dropped: seen before within the window. */
  duplicates = 0;
  /** Events that the sink accepted. */
  delivered = 0;
  /** Events, or whole messages, that became dead letters, by reason. */
  readonly dead: Map<string, number> = new Map<string, number>();
  batches = 0;
  readonly batchEvents: Histogram = new Histogram([1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]);
  readonly batchBytes: Histogram = new Histogram([1e3, 1e4, 1e5, 3e5, 1e6, 3e6, 1e7]);

  countDead(reason: string, events: number): void {
    this.dead.set(reason, (this.dead.get(reason) ?? 0) + events);
  }
}

/** A histogram as it can be sent to another thread. */
export interface PlainHistogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

/** All figures of a pipeline, as they can be sent to another thread. */
export interface PipelineMetrics {
  readonly messages: number;
  readonly events: number;
  readonly duplicates: number;
  readonly delivered: number;
  readonly dead: Readonly<Record<string, number>>;
  readonly batches: number;
  readonly batchEvents: PlainHistogram;
  readonly batchBytes: PlainHistogram;
  /** Answers by status; `timeout`, `error`, `aborted`. */
  readonly requests: Readonly<Record<string, number>>;
  readonly latencySeconds: PlainHistogram;
  /** Read from the spool and not settled. */
  readonly heldBytes: number;
  readonly spoolRecords: number;
  readonly spoolBytes: number;
  readonly spoolAgeMs: number;
}

export function plainHistogram(histogram: {
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}): PlainHistogram {
  return { bounds: [...histogram.bounds], counts: Array.from(histogram.counts), sum: histogram.sum };
}
