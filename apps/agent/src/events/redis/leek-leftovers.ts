import type { BrokerList } from "../broker-address.ts";
import type { Intake } from "../source.ts";
import { literal } from "./redis-channels.ts";
import { openRedis, type RedisConnection } from "./redis-connection.ts";

/** What a Leek agent left in Redis, and what was or would be done with it. */
export type Leftover =
  | {
      /** Makes every client that closes put its unread events into the list. */
      readonly kind: "binding";
      readonly key: string;
      readonly member: string;
    }
  | {
      /** Events that nobody reads. */
      readonly kind: "list";
      readonly key: string;
      readonly entries: number;
      readonly fate: "deliver" | "delete";
    };

export interface CleanUpOptions {
  readonly brokers: Extract<BrokerList, { kind: "redis" }>;
  readonly exchange: string;
  /** The Leek agent's queue. */
  readonly queue: string;
  /** False: it is done. Default true: it is only told. */
  readonly dryRun?: boolean;
  /** Takes the events of the queue's list, oldest first, before they are removed; else they are deleted. */
  readonly deliverTo?: Intake;
  readonly signal?: AbortSignal;
}

const separator = "\x06\x16";
/** kombu keeps messages of a priority in lists of their own. */
const prioritySuffixes = ["", ...[3, 6, 9].map((step) => `${separator}${step}`)];
const receiverQueue = new RegExp(`^\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(${separator}[369])?$`);
const portion = 500;

/**
 * Looks for what a Leek agent left: its binding, the list of its queue, and the lists of workers' event receivers, which
 * kombu fills and nobody reads. The lists of tasks and of their acknowledgements are not touched. The Leek agent must
 * not run any more.
 */
export async function cleanUpLeek(options: CleanUpOptions): Promise<readonly Leftover[]> {
  const { brokers, exchange, queue, dryRun = true, deliverTo, signal } = options;
  const [address] = brokers.addresses;
  if (address === undefined) return [];
  const redis = await openRedis(address, { name: "posthouse::clean-up", ...(signal && { signal }) });
  try {
    const prefix = address.globalKeyPrefix;
    const found: Leftover[] = [];
    const bindings = `${prefix}_kombu.binding.${exchange}`;
    for (const member of await members(redis, bindings)) {
      if (member.split(separator).at(-1) === queue) found.push({ kind: "binding", key: bindings, member });
    }
    const fate = deliverTo === undefined ? "delete" : "deliver";
    for (const suffix of prioritySuffixes) await addList(redis, found, `${prefix}${queue}${suffix}`, fate);
    for await (const key of keys(redis, `${literal(prefix + exchange)}.*`, signal)) {
      if (receiverQueue.test(key.slice(prefix.length + exchange.length)))
        await addList(redis, found, key, "delete");
    }
    if (!dryRun) for (const leftover of found) await remove(redis, leftover, deliverTo, signal);
    return found;
  } finally {
    await redis.close(1000);
  }
}

async function remove(
  redis: RedisConnection,
  leftover: Leftover,
  deliverTo: Intake | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (leftover.kind === "binding") await redis.command("SREM", leftover.key, leftover.member);
  else if (leftover.fate === "delete" || deliverTo === undefined) await redis.command("UNLINK", leftover.key);
  else await deliver(redis, leftover.key, deliverTo, signal);
}

async function members(redis: RedisConnection, key: string): Promise<string[]> {
  return (await ofType(redis.command("SMEMBERS", key), [])) as string[];
}

async function addList(
  redis: RedisConnection,
  found: Leftover[],
  key: string,
  fate: "deliver" | "delete",
): Promise<void> {
  const entries = (await ofType(redis.command("LLEN", key), 0)) as number;
  if (entries > 0 && !found.some((each) => each.key === key))
    found.push({ kind: "list", key, entries, fate });
}

/** `otherwise` when the key holds something of another type. */
async function ofType(answer: Promise<unknown>, otherwise: unknown): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (/WRONGTYPE/.test((error as Error).message)) return otherwise;
    throw error;
  }
}

async function* keys(
  redis: RedisConnection,
  pattern: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  let cursor = "0";
  do {
    signal?.throwIfAborted();
    const [next, some] = (await redis.command("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)) as [
      string,
      string[],
    ];
    cursor = next;
    yield* some;
  } while (cursor !== "0");
}

/** New entries come from the left, so what was read at the right end is still there when it is cut off. */
async function deliver(
  redis: RedisConnection,
  key: string,
  intake: Intake,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    const some = await redis.range(key, -portion, -1);
    if (some.length === 0) return;
    const durable: Promise<void>[] = [];
    for (const payload of some.reverse()) durable.push(...(await offer(intake, payload, signal)));
    await Promise.race([Promise.all(durable), aborted(signal)]);
    await redis.command("LTRIM", key, 0, -some.length - 1);
  }
}

/** Waits until the message is taken; what it gives waits until it is durable. */
async function offer(
  intake: Intake,
  payload: Buffer,
  signal: AbortSignal | undefined,
): Promise<[Promise<void>]> {
  const { promise, resolve } = Promise.withResolvers<void>();
  while (!intake.take({ transport: "redis", payload }, resolve)) {
    await Promise.race([new Promise<void>((room) => intake.onRoom(room)), aborted(signal)]);
  }
  return [promise];
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal?.reason);
    if (signal?.aborted === true) fail();
    signal?.addEventListener("abort", fail, { once: true });
  });
}
