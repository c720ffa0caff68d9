import { errors } from "../errors.ts";

/**
 * Slows down guessing: after a few failures, a name waits longer and longer between two attempts. Bounds the work too:
 * checking a password is costly on purpose, so only a few are checked at the same time.
 */
export interface LoginThrottle {
  /** Runs one attempt, which counts as a failure when it throws. @throws LOGIN_THROTTLED and what `attempt` throws */
  run<T>(username: string, attempt: (succeeded: () => void) => Promise<T>): Promise<T>;
}

const freeFailures = 5;
const maxWaitMs = 15 * 60_000;
const maxNames = 1_000;
const maxAtOnce = 4;

interface Failures {
  readonly count: number;
  readonly until: number;
}

export function createLoginThrottle(now: () => number = Date.now): LoginThrottle {
  const names = new Map<string, Failures>();
  let running = 0;

  function countFailure(username: string, time: number): void {
    const count = (names.get(username)?.count ?? 0) + 1;
    const waitMs = count < freeFailures ? 0 : Math.min(maxWaitMs, 1_000 * 2 ** (count - freeFailures));
    names.delete(username);
    names.set(username, { count, until: time + waitMs });
    const [oldest] = names.keys();
    if (names.size > maxNames && oldest !== undefined) names.delete(oldest);
  }

  return {
    async run(username, attempt) {
      const time = now();
      const until = names.get(username)?.until ?? 0;
      if (until > time) refuse(until - time);
      if (running >= maxAtOnce) refuse(1_000);
      countFailure(username, time);
      running += 1;
      try {
        return await attempt(() => names.delete(username));
      } finally {
        running -= 1;
      }
    },
  };
}

function refuse(waitMs: number): never {
  throw errors.create("LOGIN_THROTTLED", { seconds: Math.max(1, Math.ceil(waitMs / 1000)) });
}
