import { setImmediate } from "node:timers/promises";

const sliceMs = 4;

/** Long work on the serving thread, cut into slices, so that requests in between hardly wait. */
export interface Slices {
  isDue(): boolean;
  /** Lets everything else have its turn. */
  pause(): Promise<void>;
}

export function createSlices(): Slices {
  let end = performance.now() + sliceMs;
  return {
    isDue: () => performance.now() >= end,
    async pause() {
      await setImmediate();
      end = performance.now() + sliceMs;
    },
  };
}
