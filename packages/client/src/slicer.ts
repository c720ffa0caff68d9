import { setImmediate } from "node:timers/promises";

/** Long work on the serving thread, cut into slices of a few milliseconds, so that requests in between hardly wait. */
export interface Slicer {
  isDue(): boolean;
  /** Lets everything else have its turn. Throws what the signal was aborted with. */
  pause(): Promise<void>;
}

const sliceMs = 4;

export function createSlicer(signal: AbortSignal): Slicer {
  let end = performance.now() + sliceMs;
  return {
    isDue: () => performance.now() >= end,
    async pause() {
      await setImmediate();
      signal.throwIfAborted();
      end = performance.now() + sliceMs;
    },
  };
}
