/** The connections to one backend: idle ones are used again, the last used first. */
import { agentErrors } from "../../core/errors.ts";
import { type BackendAddress, type BackendCall, BackendConnection } from "./connection.ts";

export interface PoolOptions {
  /** Connections at once; calls beyond it wait. */
  readonly maxConnections: number;
  /** Calls that may wait. */
  readonly maxWaiting: number;
  readonly maxIdle: number;
  readonly idleMs: number;
}

/** A call of the pool: hears which connection carries it. */
export interface PooledCall extends BackendCall {
  /** The connection is the call's. `isFresh`: it is being made, or was made for this call. */
  onConnection(connection: BackendConnection, isFresh: boolean): void;
}

export class BackendPool {
  readonly address: BackendAddress;
  readonly #options: PoolOptions;
  readonly #idle: BackendConnection[] = [];
  readonly #all = new Set<BackendConnection>();
  readonly #waiting: PooledCall[] = [];

  constructor(address: BackendAddress, options: PoolOptions) {
    this.address = address;
    this.#options = options;
  }

  get open(): number {
    return this.#all.size;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Calls under way. */
  get active(): number {
    return this.#all.size - this.#idle.length + this.#waiting.length;
  }

  /** Gives the call a connection, now or when one is free. `fresh`: not one that was used before. */
  take(call: PooledCall, fresh = false): void {
    if (!fresh) {
      const idle = this.#idle.pop();
      if (idle !== undefined) return this.#give(idle, call, false);
    }
    if (this.#all.size < this.#options.maxConnections) return this.#give(this.#make(), call, true);
    const { maxConnections, maxWaiting } = this.#options;
    if (fresh) {
      const idle = this.#idle.shift();
      if (idle !== undefined) {
        idle.destroy();
        return this.#give(this.#make(), call, true);
      }
    }
    if (this.#waiting.length >= maxWaiting)
      return call.onFailed(
        agentErrors.create("BACKEND_BUSY", { address: this.address.text, connections: maxConnections }),
        "nothing",
      );
    this.#waiting.push(call);
  }

  /** Takes a call that still waits out of the queue. */
  forget(call: PooledCall): void {
    const index = this.#waiting.indexOf(call);
    if (index !== -1) this.#waiting.splice(index, 1);
  }

  /** Ends connections that were idle for long. */
  sweep(now: number): void {
    while (this.#idle.length > 0 && now - (this.#idle[0]?.idleSince ?? now) > this.#options.idleMs) {
      this.#idle.shift()?.destroy();
    }
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  destroy(): void {
    for (const connection of this.#all) connection.destroy();
  }

  #give(connection: BackendConnection, call: PooledCall, isFresh: boolean): void {
    connection.begin(call);
    call.onConnection(connection, isFresh);
  }

  #make(): BackendConnection {
    const connection = new BackendConnection(
      this.address,
      (idle) => this.#onIdle(idle),
      (closed) => this.#onClosed(closed),
    );
    this.#all.add(connection);
    return connection;
  }

  #onIdle(connection: BackendConnection): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return this.#give(connection, next, false);
    if (this.#idle.length >= this.#options.maxIdle) return connection.destroy();
    connection.idleSince = performance.now();
    this.#idle.push(connection);
  }

  #onClosed(connection: BackendConnection): void {
    this.#all.delete(connection);
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
    const next = this.#waiting.shift();
    if (next !== undefined) this.#give(this.#make(), next, true);
  }
}
