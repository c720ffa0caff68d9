import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisAddress } from "../broker-address.ts";
import { Failover, type FailoverStrategy } from "../broker-address.ts";
import { createReconnect, type Session } from "../reconnect.ts";
import { openRedis, type RedisConnection } from "./redis-connection.ts";

/** How long the lease lasts when nobody renews it. */
export const leaseMs = 10_000;

export interface RedisLeaseOptions {
  readonly addresses: readonly RedisAddress[];
  readonly strategy: FailoverStrategy;
  /** The one key that is ever written. */
  readonly key: string;
  readonly leaseMs: number;
  /** We lead: `isNew` unless the lease was ours all the time. */
  onLeading(isNew: boolean): void;
  onFailed(error: Error): void;
}

/** Which of several agents delivers. */
export interface RedisLease {
  /** True while nobody else can have the lease, by a clock that nobody sets. */
  readonly isLeading: boolean;
  start(): void;
  /** Gives the lease up. */
  pause(): void;
  resume(): void;
  /** Gives the lease up, so that another one leads at once. */
  stop(deadlineMs: number): Promise<void>;
}

const renewScript =
  "return redis.call('get',KEYS[1])==ARGV[1] and redis.call('pexpire',KEYS[1],ARGV[2]) or 0";
const releaseScript = "return redis.call('get',KEYS[1])==ARGV[1] and redis.call('del',KEYS[1]) or 0";

export function createRedisLease(options: RedisLeaseOptions): RedisLease {
  const { key, addresses, strategy } = options;
  const id = `${hostname()}-${process.pid}-${randomUUID()}`;
  let leadsUntil = Number.NEGATIVE_INFINITY;

  async function hold(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const isOurs = await claim(connection);
      // A third of the lease for who leads, so that two renewals may fail; a tenth for who waits.
      await sleep(options.leaseMs / (isOurs ? 3 : 10), undefined, { signal }).catch(() => {});
    }
  }

  async function claim(connection: RedisConnection): Promise<boolean> {
    // Counted from before it was sent, and a tenth less: ours ends before Redis says that it did.
    const until = performance.now() + options.leaseMs * 0.9;
    const renewed = (await connection.command("EVAL", renewScript, 1, key, id, options.leaseMs)) === 1;
    if (!renewed) {
      leadsUntil = Number.NEGATIVE_INFINITY;
      const taken = await connection.command("SET", key, id, "NX", "PX", options.leaseMs);
      if (taken !== "OK") return false;
    }
    leadsUntil = until;
    options.onLeading(!renewed);
    return true;
  }

  async function connect(address: RedisAddress, signal: AbortSignal): Promise<Session> {
    const connection = await openRedis(address, { name: "posthouse::lease", signal });
    const over = new AbortController();
    let failure: Error | undefined;
    const holding = hold(connection, over.signal).catch(async (error: Error) => {
      failure = error;
      await connection.close(0);
    });
    const ended = connection.ended.then(async (reason) => {
      over.abort();
      await holding;
      return failure ?? reason;
    });
    return {
      ended,
      async end(deadlineMs) {
        over.abort();
        const wasLeading = leadsUntil > performance.now();
        leadsUntil = Number.NEGATIVE_INFINITY;
        const releasing = holding.then(() =>
          wasLeading ? connection.command("EVAL", releaseScript, 1, key, id) : 0,
        );
        let timer: NodeJS.Timeout | undefined;
        const late = new Promise<void>((resolve) => {
          timer = setTimeout(resolve, deadlineMs);
        });
        await Promise.race([releasing.catch(() => {}), connection.ended, late]);
        clearTimeout(timer);
        await connection.close(500);
        await ended;
      },
    };
  }

  const reconnect = createReconnect({
    failover: new Failover(addresses, strategy),
    connect,
    onConnecting: () => {},
    onFailed: options.onFailed,
    onIdle: () => {},
  });
  return {
    get isLeading() {
      return performance.now() < leadsUntil;
    },
    start: () => reconnect.start(),
    pause: () => reconnect.pause(),
    resume: () => reconnect.resume(),
    stop: (deadlineMs) => reconnect.stop(deadlineMs),
  };
}
