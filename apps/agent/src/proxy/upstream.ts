import type { BackendAddress } from "./backend/connection.ts";
import { BackendPool, type PoolOptions } from "./backend/pool.ts";
import type { UpstreamCounters } from "./metrics.ts";

export interface UpstreamOptions extends PoolOptions {
  /** Failures in a row after which it is left alone. */
  readonly failAfter: number;
  /** For how long. */
  readonly leaveAloneMs: number;
}

/** One backend: its connections, and whether it is worth asking. */
export class Upstream {
  readonly pool: BackendPool;
  readonly address: BackendAddress;
  readonly count: UpstreamCounters;
  /** What the active check said last; undefined without one. */
  healthy: boolean | undefined;
  readonly #options: UpstreamOptions;
  #failures = 0;
  #leftAloneUntil = 0;

  constructor(address: BackendAddress, options: UpstreamOptions, count: UpstreamCounters) {
    this.address = address;
    this.count = count;
    this.#options = options;
    this.pool = new BackendPool(address, options);
  }

  isAvailable(now: number): boolean {
    return this.healthy !== false && now >= this.#leftAloneUntil;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(now: number): void {
    this.#failures += 1;
    if (this.#failures < this.#options.failAfter) return;
    this.#failures = 0;
    this.#leftAloneUntil = now + this.#options.leaveAloneMs;
  }
}
