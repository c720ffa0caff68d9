import { setTimeout as sleep } from "node:timers/promises";
import type { Failover } from "./broker-address.ts";

const firstDelayMs = 500;
const longestDelayMs = 30_000;
const pauseDeadlineMs = 5000;
/** A connection that lasted this long was none of those that fail at once. */
const lastedMs = 10_000;

/** A connection in use. */
export interface Session {
  /** Resolves when it is over, with the reason unless we ended it. */
  readonly ended: Promise<Error | undefined>;
  /** Settles what it began, and closes; resolves after `deadlineMs` in any case. */
  end(deadlineMs: number): Promise<void>;
}

export interface ReconnectOptions<Address> {
  readonly failover: Failover<Address>;
  /** Rejects with why it does not work; at once when the signal is aborted. */
  connect(address: Address, signal: AbortSignal): Promise<Session>;
  onConnecting(address: Address): void;
  onFailed(error: Error, wasConnected: boolean): void;
  onIdle(state: "paused" | "stopped"): void;
}

export interface Reconnect {
  start(): void;
  pause(): void;
  resume(): void;
  stop(deadlineMs: number): Promise<void>;
}

/** How long to wait before round `round` of the list, from 0: twice as long each time, and never as long as others. */
export function reconnectDelayMs(round: number, random: () => number = Math.random): number {
  return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(round, 30)) * (0.5 + random() / 2);
}

/** Keeps one connection for ever: with the same address while that works, else with the next of the list. */
export function createReconnect<Address>(options: ReconnectOptions<Address>): Reconnect {
  const { failover } = options;
  let running: Promise<void> | undefined;
  let session: Session | undefined;
  let isPaused = false;
  let isStopping = false;
  let attempt = new AbortController();
  let wake: (() => void) | undefined;
  let stopping: Promise<void> | undefined;

  async function run(): Promise<void> {
    let round = 0;
    while (!isStopping) {
      if (isPaused) {
        options.onIdle("paused");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const hasLasted = await connectOnce();
      if (isStopping || isPaused) continue;
      if (hasLasted) round = 0;
      else if (!failover.advance()) continue;
      await sleep(reconnectDelayMs(round++), undefined, { signal: attempt.signal }).catch(() => {});
    }
    options.onIdle("stopped");
  }

  /** True when the connection stood for a while. */
  async function connectOnce(): Promise<boolean> {
    options.onConnecting(failover.current);
    try {
      session = await options.connect(failover.current, attempt.signal);
    } catch (error) {
      if (!attempt.signal.aborted) options.onFailed(asError(error), false);
      return false;
    }
    const beganAt = performance.now();
    if (attempt.signal.aborted) await session.end(pauseDeadlineMs);
    const error = await session.ended;
    session = undefined;
    if (error !== undefined && !attempt.signal.aborted) options.onFailed(error, true);
    return performance.now() - beganAt > lastedMs;
  }

  return {
    start() {
      if (running !== undefined) return;
      running = run();
    },
    pause() {
      if (isPaused) return;
      isPaused = true;
      attempt.abort();
      void session?.end(pauseDeadlineMs);
      if (running === undefined) options.onIdle("paused");
    },
    resume() {
      if (!isPaused) return;
      isPaused = false;
      attempt = new AbortController();
      wake?.();
    },
    stop(deadlineMs) {
      stopping ??= (async () => {
        isStopping = true;
        attempt.abort();
        wake?.();
        await session?.end(deadlineMs);
        await running;
      })();
      return stopping;
    },
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
