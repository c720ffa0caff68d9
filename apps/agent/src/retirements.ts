/**
 * Parts that no configuration needs any more, in which something still runs: listeners and forwards finish their
 * requests and tunnels, access logs wait for the lines of these.
 */
import { type Log, type Part, stopParts } from "@posthouse/service";
import type { Metrics } from "./core/metrics.ts";

export interface Retirements {
  /** Stops the parts that a reload left over, each within `withinMs`; those of much earlier reloads within `stopMs`. */
  add(parts: readonly Part[], withinMs: number, stopMs: number): void;
  /** Ends all of them within the deadline. Throws the first error, after the last part. */
  stop(deadlineMs: number): Promise<void>;
}

/** Of so many reloads parts may be left at once; with one more those of the oldest end as at a stop. */
const maxReloads = 16;

export function createRetirements(log: Log, metrics: Metrics): Retirements {
  /** A set for each reload, the oldest first: the parts that still stop. */
  const reloads = new Set<Set<Part>>();
  metrics.gauge(
    "posthouse_config_retired_parts",
    "Listeners, forwards and other parts of earlier configurations in which something still runs.",
    [],
    (report) =>
      report(
        {},
        [...reloads].reduce((sum, parts) => sum + parts.size, 0),
      ),
  );

  async function retire(part: Part, withinMs: number): Promise<void> {
    const begun = performance.now();
    try {
      await stopParts([part], withinMs);
      if (withinMs > 0 && performance.now() - begun >= withinMs)
        log.warn({ part: part.name, withinMs }, "what still ran of an old part was cut");
    } catch (error) {
      log.warn({ error }, "an old part did not stop cleanly");
    }
  }

  return {
    add(parts, withinMs, stopMs) {
      if (parts.length === 0) return;
      const stopping = new Set(parts);
      reloads.add(stopping);
      for (const part of parts) {
        void retire(part, withinMs).then(() => {
          stopping.delete(part);
          if (stopping.size === 0) reloads.delete(stopping);
        });
      }
      const [oldest] = reloads;
      if (reloads.size <= maxReloads || oldest === undefined) return;
      reloads.delete(oldest);
      log.warn({ parts: [...oldest].map(({ name }) => name) }, "too many reloads: the oldest parts end now");
      for (const part of oldest) void retire(part, stopMs);
    },
    async stop(deadlineMs) {
      const parts = [...reloads].flatMap((stopping) => [...stopping]);
      const results = await Promise.allSettled(parts.map((part) => stopParts([part], deadlineMs)));
      for (const result of results) if (result.status === "rejected") throw result.reason;
    },
  };
}
