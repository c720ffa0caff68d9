import { errors } from "../errors.ts";

/** Slows down guessing: after a few failures, a name waits longer and longer between two attempts. */
export interface LoginThrottle {
  /** Counts as a failure until it succeeded. @throws LOGIN_THROTTLED */
  begin(username: string): { succeeded(): void };
}

const freeFailures = 5;
const maxWaitMs = 15 * 60_000;
const maxNames = 1_000;
const maxAtOnce = 4;
const windowMs = 1_000;

interface Failures {
  count: number;
  until: number;
}

export function createLoginThrottle(now: () => number = Date.now): LoginThrottle {
  const names = new Map<string, Failures>();
  let windowStart = 0;
  let inWindow = 0;
  return {
    begin(username) {
      const time = now();
      const known = names.get(username);
      if (known && known.until > time) refuse(known.until - time);
      if (time - windowStart >= windowMs) {
        windowStart = time;
        inWindow = 0;
      }
      inWindow += 1;
      if (inWindow > maxAtOnce) refuse(windowStart + windowMs - time);
      const count = (known?.count ?? 0) + 1;
      const waitMs = count < freeFailures ? 0 : Math.min(maxWaitMs, 1_000 * 2 ** (count - freeFailures));
      names.delete(username);
      names.set(username, { count, until: time + waitMs });
      const [oldest] = names.keys();
      if (names.size > maxNames && oldest !== undefined) names.delete(oldest);
      return {
        succeeded() {
          names.delete(username);
        },
      };
    },
  };
}

function refuse(waitMs: number): never {
  throw errors.create("LOGIN_THROTTLED", { seconds: Math.max(1, Math.ceil(waitMs / 1000)) });
}
