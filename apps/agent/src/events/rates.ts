import type { SubscriptionReport } from "./messages.ts";

/** Per second. Messages from the broker, each with any number of events; events that the receiver accepted. */
export interface EventRates {
  readonly messagesIn: number;
  readonly eventsOut: number;
}

interface Sample {
  readonly at: number;
  readonly received: number;
  readonly delivered: number;
}

const windowMs = 10_000;
const none: EventRates = { messagesIn: 0, eventsOut: 0 };

/** Rates over the last ten seconds, of counters that are told now and then and may begin anew. */
export function createRates(): {
  observe(report: SubscriptionReport, now: number): void;
  of(name: string): EventRates;
  /** Forgets all others. */
  keepOnly(names: ReadonlySet<string>): void;
} {
  const all = new Map<string, Sample[]>();
  return {
    observe({ name, running }, now) {
      if (running === undefined) {
        all.delete(name);
        return;
      }
      const sample = { at: now, received: running.broker.received, delivered: running.metrics.delivered };
      const known = all.get(name) ?? [];
      const last = known.at(-1);
      const isAnew =
        last !== undefined && (last.received > sample.received || last.delivered > sample.delivered);
      const samples = isAnew ? [] : known.filter(({ at }) => now - at <= windowMs);
      all.set(name, [...samples, sample]);
    },
    keepOnly(names) {
      for (const name of all.keys()) if (!names.has(name)) all.delete(name);
    },
    of(name) {
      const samples = all.get(name) ?? [];
      const [first, last] = [samples[0], samples.at(-1)];
      if (first === undefined || last === undefined || last.at === first.at) return none;
      const seconds = (last.at - first.at) / 1000;
      const rate = (from: number, to: number): number => Math.round(((to - from) / seconds) * 10) / 10;
      return {
        messagesIn: rate(first.received, last.received),
        eventsOut: rate(first.delivered, last.delivered),
      };
    },
  };
}
