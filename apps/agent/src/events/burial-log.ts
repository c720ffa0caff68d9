import type { Log } from "@posthouse/service";

const againMs = 60_000;

/** Tells the log of new dead letters: of the first at once, then once a minute how many there were, by reason. */
export class BurialLog {
  readonly #log: Log;
  #untold = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  note(reasons: readonly string[]): void {
    for (const reason of reasons) this.#untold.set(reason, (this.#untold.get(reason) ?? 0) + 1);
    if (this.#timer === undefined) this.#tell();
  }

  /** Tells what was not told yet. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#untold.size > 0) this.#warn();
  }

  #tell(): void {
    this.#timer = undefined;
    if (this.#untold.size === 0) return;
    this.#warn();
    this.#timer = setTimeout(() => this.#tell(), againMs).unref();
  }

  #warn(): void {
    this.#log.warn(
      { reasons: Object.fromEntries(this.#untold) },
      "some of what was received can never be delivered: it is kept as dead letters",
    );
    this.#untold = new Map();
  }
}
