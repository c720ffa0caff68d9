import type { Log, Part } from "@posthouse/service";
import type { Journal } from "./journal.ts";

export interface JournalPurgeOptions {
  readonly journal: Journal;
  /** Milliseconds between two; 0 for never. */
  readonly intervalMs: number;
  readonly log: Log;
}

/** Keeps the journal at its size: when it starts, and then at each interval. */
export function createJournalPurge({ journal, intervalMs, log }: JournalPurgeOptions): Part {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let stopped = new AbortController();
  const purge = async (): Promise<void> => {
    try {
      const purged = await journal.purge(stopped.signal);
      if (purged > 0) log.info({ purged }, "old events were removed from the journal");
    } catch (error) {
      log.warn({ error }, "the journal could not be purged");
    }
  };
  const run = (): void => {
    running ??= purge().finally(() => {
      running = undefined;
    });
  };
  return {
    name: "journal-purge",
    async start() {
      if (timer !== undefined || intervalMs === 0) return;
      stopped = new AbortController();
      timer = setInterval(run, intervalMs).unref();
      run();
    },
    async stop() {
      clearInterval(timer);
      timer = undefined;
      stopped.abort();
      await running;
    },
  };
}
