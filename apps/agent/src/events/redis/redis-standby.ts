import { ByteQueue } from "./byte-queue.ts";

/** Longer than a lease lasts, and than its loss may go unnoticed. */
const holdMs = 60_000;

/** The last minute of what arrives, for the case that the one who leads is gone. */
export class RedisStandby {
  readonly #memoryBytes: number;
  readonly #now: () => number;
  readonly #queue = new ByteQueue<Buffer>();
  /** Given up before a minute was over, because they were too many bytes. */
  short = 0;

  constructor(memoryBytes: number, now: () => number = () => performance.now()) {
    this.#memoryBytes = memoryBytes;
    this.#now = now;
  }

  get length(): number {
    return this.#queue.length;
  }

  hold(payload: Buffer): void {
    this.#queue.push(payload, payload.length, this.#now());
    this.#forget();
    while (this.#queue.bytes > this.#memoryBytes) {
      this.#queue.shift();
      this.short++;
    }
  }

  /** All of it, oldest first; it is empty afterwards. */
  take(): Buffer[] {
    this.#forget();
    const taken: Buffer[] = [];
    for (let payload = this.#queue.shift(); payload !== undefined; payload = this.#queue.shift())
      taken.push(payload);
    return taken;
  }

  #forget(): void {
    const from = this.#now() - holdMs;
    while ((this.#queue.oldestMs ?? Number.POSITIVE_INFINITY) < from) this.#queue.shift();
  }
}
