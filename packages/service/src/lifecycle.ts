import { serviceErrors } from "./errors.ts";
import type { Log } from "./log.ts";

/**
 * Something that runs. `stop` is safe without `start` and twice, flushes, and leaves no timer, socket or thread. A second
 * call while the first is under way ends both by the earlier of their deadlines.
 */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

export interface StartOptions {
  readonly log?: Log;
  /** Given to the parts that have to stop again when a later one fails. Default 5000. */
  readonly stopDeadlineMs?: number;
  /** When aborted between two parts, the started ones are stopped and the reason is thrown. */
  readonly signal?: AbortSignal;
}

/** Starts parts in order. When one fails, those before it are stopped in reverse and its error is thrown. */
export async function startParts(parts: readonly Part[], options: StartOptions = {}): Promise<void> {
  const started: Part[] = [];
  try {
    for (const part of parts) {
      options.signal?.throwIfAborted();
      started.push(part);
      await part.start();
    }
  } catch (error) {
    await stopParts(started, options.stopDeadlineMs ?? 5000).catch((cause) =>
      options.log?.warn({ error: cause }, "could not stop after a failed start"),
    );
    throw error;
  }
}

/**
 * Stops parts in reverse order, all of them whatever fails, within one deadline for all. A part that overruns it by
 * more than a second is left behind: STOP_TOO_SLOW. Throws the first error, after the last part.
 */
export async function stopParts(parts: readonly Part[], deadlineMs: number): Promise<void> {
  const end = performance.now() + deadlineMs;
  const errors: unknown[] = [];
  for (const part of parts.toReversed()) {
    const left = Math.max(0, Math.round(end - performance.now()));
    try {
      await stopPart(part, left);
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw errors[0];
}

async function stopPart(part: Part, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const overrun = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(serviceErrors.create("STOP_TOO_SLOW", { part: part.name, deadline: deadlineMs })),
      deadlineMs + 1000,
    );
  });
  try {
    await Promise.race([part.stop(deadlineMs), overrun]);
  } finally {
    clearTimeout(timer);
  }
}
