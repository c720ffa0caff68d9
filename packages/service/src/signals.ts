import { constants } from "node:os";
import { boundHeapGrowth, releaseStartMemory } from "./heap.ts";
import { type Part, startParts, stopParts } from "./lifecycle.ts";
import type { Log } from "./log.ts";

export interface RunOptions {
  readonly log: Log;
  /** Default 10000. A function is asked when the signal has come. */
  readonly stopDeadlineMs?: number | (() => number);
  /** Called once every part runs: where a command prints its addresses. */
  readonly onStarted?: () => void;
}

type StopSignal = "SIGINT" | "SIGTERM";

/**
 * Starts the parts, waits for SIGINT or SIGTERM, stops them and resolves with the exit code: 0, or 1 when stopping
 * failed (the error is logged). Rejects when they do not start. A second signal ends the process at once with 128 + its
 * number.
 */
export async function runUntilSignal(parts: readonly Part[], options: RunOptions): Promise<number> {
  const { log, stopDeadlineMs: asGiven = 10_000 } = options;
  const deadlineMs = (): number => (typeof asGiven === "number" ? asGiven : asGiven());
  boundHeapGrowth();
  releaseStartMemory();
  const asked = new AbortController();
  const onSignal = (signal: StopSignal): void => {
    if (asked.signal.aborted) process.exit(128 + constants.signals[signal]);
    log.info({ signal }, "stopping");
    asked.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  let started = false;
  try {
    await startParts(parts, { log, stopDeadlineMs: deadlineMs(), signal: asked.signal });
    started = true;
    try {
      options.onStarted?.();
      await aborted(asked.signal);
    } finally {
      await stopParts(parts, deadlineMs());
    }
    log.info({}, "stopped");
    return 0;
  } catch (error) {
    if (error === asked.signal.reason) return 0;
    if (!started) throw error;
    log.error({ error }, "did not stop cleanly");
    return 1;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}

/** Resolves on abort. The timer keeps the process alive for it: a signal handler alone does not. */
function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const alive = setInterval(() => {}, 0x7fff_ffff);
    signal.addEventListener(
      "abort",
      () => {
        clearInterval(alive);
        resolve();
      },
      { once: true },
    );
  });
}
