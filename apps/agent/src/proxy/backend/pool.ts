/**
 * The connections to one backend: idle ones are used again, the last used first. A backend may close an idle connection
 * just when a request is on its way, and a request that cannot be repeated would be lost with it. So what a backend
 * announces with `Keep-Alive: timeout=N` is kept with a margin, and what cannot be repeated takes only connections that
 * were used a moment ago.
 */
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
  /** Can be sent again, should the connection turn out to be closed. */
  readonly isRepeatable: boolean;
  /** The connection is the call's. `isFresh`: it is being made, or was made for this call. */
  onConnection(connection: BackendConnection, isFresh: boolean): void;
}

/** What cannot be repeated does not take a connection that was idle for longer. */
const momentMs = 1000;
/** How much earlier than announced a connection is given up; at most half of it. */
const marginMs = 1000;

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
    const idle = fresh ? undefined : this.#takeIdle(call);
    if (idle !== undefined) this.#give(idle, call, false);
    else if (this.#all.size < this.#options.maxConnections || this.#destroyOldest())
      this.#give(this.#make(), call, true);
    else if (this.#waiting.length < this.#options.maxWaiting) this.#waiting.push(call);
    else call.onFailed(this.#busyError(), "nothing");
  }

  /** Takes a call that still waits out of the queue. */
  forget(call: PooledCall): void {
    const index = this.#waiting.indexOf(call);
    if (index !== -1) this.#waiting.splice(index, 1);
  }

  /** Ends connections that were idle for long. */
  sweep(now: number): void {
    for (let index = this.#idle.length - 1; index >= 0; index--) {
      if (now >= (this.#idle[index]?.idleUntil ?? now)) this.#idle.splice(index, 1)[0]?.destroy();
    }
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Ends all; who still waits hears nothing more. */
  destroy(): void {
    this.#waiting.length = 0;
    for (const connection of this.#all) connection.destroy();
  }

  /** Makes room for one connection; false when all are in use. */
  #destroyOldest(): boolean {
    const oldest = this.#idle.shift();
    oldest?.destroy();
    return oldest !== undefined;
  }

  #busyError(): Error {
    const { maxConnections } = this.#options;
    return agentErrors.create("BACKEND_BUSY", { address: this.address.text, connections: maxConnections });
  }

  #takeIdle(call: PooledCall): BackendConnection | undefined {
    if (this.#idle.length === 0) return undefined;
    const now = performance.now();
    for (;;) {
      const idle = this.#idle.at(-1);
      if (idle === undefined) return undefined;
      const isUsable = now < idle.idleUntil && !idle.socket.destroyed;
      if (isUsable && now - idle.idleSince > momentMs && !call.isRepeatable) return undefined;
      this.#idle.pop();
      if (isUsable) return idle;
      idle.destroy();
    }
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
    if (next !== undefined) this.#give(connection, next, false);
    else if (this.#idle.length >= this.#options.maxIdle) connection.destroy();
    else this.#keep(connection);
  }

  #keep(connection: BackendConnection): void {
    const now = performance.now();
    const { keepAliveMs = Number.POSITIVE_INFINITY } = connection;
    connection.idleSince = now;
    connection.idleUntil =
      now + Math.min(this.#options.idleMs, Math.max(keepAliveMs / 2, keepAliveMs - marginMs));
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
