import type { Log } from "@posthouse/service";
import type { SourceState, SourceStatus } from "./source.ts";

const logAgainMs = 60_000;

/** What a source says about itself, and what it logs when that changes. */
export class SourceRecord {
  readonly #log: Log;
  #state: SourceState = "stopped";
  #since = new Date();
  #lastError: SourceStatus["lastError"];
  #loggedAt = Number.NEGATIVE_INFINITY;
  broker: string;
  gaps = 0;
  received = 0;
  dropped = 0;

  constructor(broker: string, log: Log) {
    this.broker = broker;
    this.#log = log;
  }

  get state(): SourceState {
    return this.#state;
  }

  set state(state: SourceState) {
    const before = this.#state;
    if (state === before) return;
    this.#state = state;
    this.#since = new Date();
    // A disk that is now full and now not would fill the log, too.
    if (state === "connecting" || before === "blocked" || (before === "receiving" && state === "blocked"))
      return;
    this.#log.info({ broker: this.broker, state }, `the source of events is ${state}`);
  }

  /** There is no connection now, for this reason; the log has the same one again once a minute. */
  failed(error: Error): void {
    this.state = "connecting";
    const isNew = error.message !== this.#lastError?.message;
    this.#lastError = { message: error.message, at: new Date() };
    const now = performance.now();
    if (!isNew && now - this.#loggedAt < logAgainMs) return;
    this.#loggedAt = now;
    this.#log.warn({ broker: this.broker, error }, "the connection to the broker failed; it is made again");
  }

  status(pending: number): SourceStatus {
    return {
      state: this.#state,
      broker: this.broker,
      since: this.#since,
      lastError: this.#lastError,
      gaps: this.gaps,
      received: this.received,
      dropped: this.dropped,
      pending,
    };
  }
}
