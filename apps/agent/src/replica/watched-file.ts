import type { Log } from "@posthouse/service";
import { createFileWatch } from "../core/file-watch.ts";

export interface WatchedFileOptions {
  readonly path: string;
  readonly log: Log;
  readonly pollMs: number | undefined;
  /** Reads the file and keeps what came of it, a failure too. Never twice at a time. */
  readonly load: (signal: AbortSignal) => Promise<void>;
  /** When `load` failed last; undefined: what is kept is what the file holds. */
  readonly failedAt: () => Date | undefined;
  /** Called when the file was not there at two looks in a row. */
  readonly onMissing: () => void;
  /** Called when it is still as it was loaded. */
  readonly onSame: () => void;
}

export interface WatchedFile {
  /** Resolves when the file was loaded for the first time, or could not be. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** A failure that was not the file's (no memory, too slow) passes without a change of the file. */
const retryMs = 60_000;

/** Has a file loaded at the start, whenever it changes, and a minute after that failed. */
export function createWatchedFile(options: WatchedFileOptions): WatchedFile {
  const { path, log, pollMs, load, failedAt, onMissing, onSame } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let loading: Promise<void> | undefined;
  let isDue = false;
  let looksMissing = 0;

  /** What changed meanwhile is loaded after it. */
  async function keepLoading(): Promise<void> {
    do {
      isDue = false;
      await load(signal);
    } while (isDue && !signal.aborted);
    loading = undefined;
  }

  function changed(): Promise<void> {
    isDue = true;
    loading ??= keepLoading();
    return loading;
  }

  const watch = createFileWatch(path, {
    log,
    pollMs,
    onChange: () => void changed(),
    onLook(found) {
      looksMissing = found === "missing" ? looksMissing + 1 : 0;
      if (looksMissing > 1) onMissing();
      if (found !== "same" || loading) return;
      const failed = failedAt();
      if (failed === undefined) onSame();
      else if (Date.now() - failed.getTime() > retryMs) void changed();
    },
  });

  return {
    async start() {
      if (signal.aborted) return;
      await watch.start();
      await changed();
    },
    async stop() {
      stopping.abort();
      watch.stop();
      await loading;
    },
  };
}
