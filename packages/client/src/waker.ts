/** A sleep that can be cut short. */
export interface Waker {
  /** Resolves after `ms`, or on `wake()`; at once when `wake()` was called since the last wait. */
  wait(ms: number): Promise<void>;
  wake(): void;
}

export function createWaker(): Waker {
  let awake = false;
  let rouse: (() => void) | undefined;
  return {
    async wait(ms) {
      if (!awake) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          rouse = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        rouse = undefined;
      }
      awake = false;
    },
    wake() {
      awake = true;
      rouse?.();
    },
  };
}
