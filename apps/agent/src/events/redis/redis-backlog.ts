import type { Log } from "@posthouse/service";
import type { BrokerMessage } from "../celery/message.ts";
import type { Intake } from "../source.ts";
import { ByteQueue, costOf } from "./byte-queue.ts";

const logEveryMs = 60_000;

/** What is given up when the intake takes nothing and memory is used up. */
export type DropPolicy = "drop-oldest" | "drop-newest";

export interface RedisBacklogOptions {
  readonly intake: Intake;
  readonly memoryBytes: number;
  readonly policy: DropPolicy;
  readonly log: Log;
  /** It begins to drop; once until it is empty again. */
  onGap(): void;
  onDropped(count: number): void;
  /** It holds messages that the intake refused, or no longer does. */
  onHolding(): void;
}

type RedisMessage = Extract<BrokerMessage, { transport: "redis" }>;

/** Between Redis, which never waits, and the intake: keeps what that refuses, up to a limit, in order. */
export class RedisBacklog {
  readonly #options: RedisBacklogOptions;
  readonly #queue = new ByteQueue<RedisMessage>();
  readonly #waiting: (() => void)[] = [];
  #undurable = 0;
  #isAsking = false;
  #isDropping = false;
  #droppedSinceLog = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;

  constructor(options: RedisBacklogOptions) {
    this.#options = options;
  }

  /** Refused by the intake, and kept. */
  get held(): number {
    return this.#queue.length;
  }

  /** Received, and not durable yet. */
  get pending(): number {
    return this.#queue.length + this.#undurable;
  }

  /** `isRedelivered`: somebody else may have delivered it. */
  receive(payload: Buffer, isRedelivered?: true): void {
    const message: RedisMessage = { transport: "redis", payload, isRedelivered };
    if (this.#queue.length === 0 && this.#offer(message)) return;
    const wasEmpty = this.#queue.length === 0;
    this.#keep(message);
    if (wasEmpty) this.#options.onHolding();
    this.#askForRoom();
  }

  /** Resolves when all is durable, or the deadline is over; what the intake did not take by then is dropped. */
  async settle(deadlineMs: number): Promise<void> {
    if (this.pending > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    const left = this.#queue.length;
    this.#queue.clear();
    if (left > 0) this.#drop(left);
  }

  #offer(message: RedisMessage): boolean {
    this.#undurable++;
    if (this.#options.intake.take(message, this.#done)) return true;
    this.#undurable--;
    return false;
  }

  readonly #done = (): void => {
    this.#undurable--;
    if (this.pending === 0) for (const wake of this.#waiting.splice(0)) wake();
  };

  #keep(message: RedisMessage): void {
    const { memoryBytes, policy } = this.#options;
    const { length } = message.payload;
    if (policy === "drop-newest" && this.#queue.bytes + costOf(length) > memoryBytes) {
      this.#drop(1);
      return;
    }
    this.#queue.push(message, length);
    let count = 0;
    while (this.#queue.bytes > memoryBytes) {
      this.#queue.shift();
      count++;
    }
    if (count > 0) this.#drop(count);
  }

  #drop(count: number): void {
    const { log, policy, onDropped, onGap } = this.#options;
    onDropped(count);
    if (!this.#isDropping) onGap();
    this.#isDropping = true;
    this.#droppedSinceLog += count;
    const now = performance.now();
    if (now - this.#loggedAt < logEveryMs) return;
    log.warn(
      { dropped: this.#droppedSinceLog, policy },
      "events are dropped: they cannot be kept on disk or in memory",
    );
    this.#loggedAt = now;
    this.#droppedSinceLog = 0;
  }

  #askForRoom(): void {
    if (this.#isAsking) return;
    this.#isAsking = true;
    this.#options.intake.onRoom(() => {
      this.#isAsking = false;
      this.#offerHeld();
    });
  }

  #offerHeld(): void {
    for (let message = this.#queue.first; message !== undefined; message = this.#queue.first) {
      if (!this.#offer(message)) {
        this.#askForRoom();
        return;
      }
      this.#queue.shift();
    }
    this.#isDropping = false;
    this.#options.onHolding();
    if (this.pending === 0) for (const wake of this.#waiting.splice(0)) wake();
  }
}
