/** How the way to a sink stands, shared by all who send there. */
export type OutletState = "delivering" | "failing" | "held" | "paused" | "stopped";

export interface OutletStatus {
  readonly state: OutletState;
  readonly since: Date;
  /** Why it was not taken the last time. */
  readonly lastError?: { readonly message: string; readonly at: Date } | undefined;
}

/**
 * Who sends asks here whether it may, waits here after a failure, and says here when something was accepted: then
 * whoever waits tries again at once, unless the other side named a time.
 */
export class Outlet {
  #trouble: { readonly state: "failing" | "held"; readonly since: Date } | undefined;
  #lastError: OutletStatus["lastError"];
  #since = new Date();
  #paused: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #isStopping = false;
  readonly #wakers = new Set<() => void>();
  readonly #ending = new AbortController();
  readonly #onState: (status: OutletStatus) => void;
  /** Dead letters since something was accepted. */
  refusals = 0;

  constructor(onState: (status: OutletStatus) => void) {
    this.#onState = onState;
  }

  get status(): OutletStatus {
    const state = this.#isStopping
      ? "stopped"
      : this.isPaused
        ? "paused"
        : (this.#trouble?.state ?? "delivering");
    return { state, since: this.#trouble?.since ?? this.#since, lastError: this.#lastError };
  }

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** Nothing is waited for any more. */
  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Ends requests that are under way. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  pause(): void {
    if (this.#paused !== undefined || this.#isStopping) return;
    this.#paused = Promise.withResolvers<void>();
    this.#since = new Date();
  }

  resume(): void {
    this.#paused?.resolve();
    if (this.#paused !== undefined) this.#since = new Date();
    this.#paused = undefined;
    this.#wakeAll();
  }

  /** Resolves when a request may be sent; false: none may any more. */
  async open(): Promise<boolean> {
    while (this.#paused !== undefined && !this.#isStopping) await this.#paused.promise;
    return !this.#isStopping || !this.#ending.signal.aborted;
  }

  accepted(): void {
    this.refusals = 0;
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#since = new Date();
    this.#onState(this.status);
    this.#wakeAll();
  }

  failed(state: "failing" | "held", message: string): void {
    const at = new Date();
    this.#lastError = { message, at };
    if (this.#trouble?.state === state) return;
    this.#trouble = { state, since: this.#trouble?.since ?? at };
    this.#onState(this.status);
  }

  /** Resolves after that time, or when there is reason to try earlier. */
  async wait(ms: number, isFixed: boolean): Promise<void> {
    if (this.#isStopping) return;
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#wakers.delete(wake);
        resolve();
      };
      const timer = setTimeout(settle, ms);
      const wake = (): void => {
        if (!isFixed || this.#isStopping) settle();
      };
      this.#wakers.add(wake);
    });
  }

  /** Lets each who waits try once more. */
  stop(): void {
    const wasPaused = this.#paused;
    this.#isStopping = true;
    if (wasPaused !== undefined) this.#ending.abort(new Error("it was paused"));
    wasPaused?.resolve();
    this.#wakeAll();
  }

  abort(): void {
    this.stop();
    this.#ending.abort(new Error("the agent stops"));
  }

  #wakeAll(): void {
    for (const wake of [...this.#wakers]) wake();
  }
}
