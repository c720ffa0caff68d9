import { createBackoff } from "@posthouse/client";

/** Keys that FeatBit refused: their events stay in the queue, and are tried again now and then. */
export interface Holds {
  readonly size: number;
  /** In ms since 1970; undefined when nothing is held. */
  readonly nextAt: number | undefined;
  isHeld(key: string): boolean;
  /** Holds longer each time, or for as long as is asked for. */
  hold(
    key: string,
    hold: { readonly environment: string; readonly reason: string; readonly ms?: number | undefined },
  ): void;
  /** The key works. True when it had been held. */
  release(key: string): boolean;
  clear(): void;
  list(): readonly { readonly environment: string; readonly reason: string; readonly since: Date }[];
}

interface Hold {
  readonly environment: string;
  reason: string;
  readonly since: Date;
  until: number;
  readonly backoff: ReturnType<typeof createBackoff>;
}

const firstMs = 30_000;
const maxMs = 900_000;

export function createHolds(now: () => number = Date.now): Holds {
  const holds = new Map<string, Hold>();
  return {
    get size() {
      return holds.size;
    },
    get nextAt() {
      return holds.size === 0 ? undefined : Math.min(...[...holds.values()].map(({ until }) => until));
    },
    isHeld: (key) => (holds.get(key)?.until ?? 0) > now(),
    hold(key, { environment, reason, ms }) {
      const known = holds.get(key) ?? {
        environment,
        reason,
        since: new Date(now()),
        until: 0,
        backoff: createBackoff({ firstMs, maxMs }),
      };
      holds.set(key, known);
      if (known.until > now()) return; // several requests ran
      known.reason = reason;
      known.until = now() + (ms ?? known.backoff.next());
    },
    release: (key) => holds.delete(key),
    clear: () => holds.clear(),
    list: () => [...holds.values()].map(({ environment, reason, since }) => ({ environment, reason, since })),
  };
}
