export interface BackoffOptions {
  /** Longest first delay. */
  readonly firstMs: number;
  /** No delay is longer than this. */
  readonly maxMs: number;
  readonly factor: number;
  /** Share of each delay that is left to chance, 0 to 1: with 0.5, a delay of 8 s becomes 4 to 8 s. */
  readonly jitter: number;
}

export interface Backoff {
  /** Milliseconds to wait before the next attempt. */
  next(): number;
  /** To be called after a success. */
  reset(): void;
}

/** Delays that grow exponentially up to a limit and differ between agents, so that a Manager that returns is not flooded. */
export function createBackoff(
  options: Partial<BackoffOptions> = {},
  random: () => number = Math.random,
): Backoff {
  const { firstMs = 500, maxMs = 60_000, factor = 2, jitter = 0.5 } = options;
  let attempts = 0;
  return {
    next() {
      const whole = Math.min(maxMs, firstMs * factor ** Math.min(attempts, 100));
      attempts++;
      return Math.round(whole * (1 - jitter * random()));
    },
    reset() {
      attempts = 0;
    },
  };
}
