import type { ReceivedEvent } from "./celery/received-event.ts";
import type { SinkBatch, SinkPart } from "./sinks/sink.ts";

export interface LaneOptions<Event extends ReceivedEvent> {
  readonly maxEvents: number;
  readonly maxBytes: number;
  /** A batch is closed so long after its first event, unless the one before is still under way. */
  readonly windowMs: number;
  readonly createBatch: () => SinkBatch<Event>;
  /** Resolves with false when nothing more is to be sent. */
  readonly deliver: (parts: readonly SinkPart<Event>[]) => Promise<boolean>;
  readonly onClosed: (batch: SinkBatch<Event>) => void;
  /** Nothing more comes before something is delivered. */
  readonly isPressed: () => boolean;
}

/** Batches of some of the tasks, sent one after the other, so that what is of one task arrives in order. */
export class Lane<Event extends ReceivedEvent> {
  readonly #options: LaneOptions<Event>;
  #open: SinkBatch<Event> | undefined;
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #closed: SinkBatch<Event>[] = [];
  #running: Promise<void> | undefined;
  #isOver = false;

  constructor(options: LaneOptions<Event>) {
    this.#options = options;
  }

  add(event: Event): void {
    const { maxEvents, maxBytes } = this.#options;
    let batch = this.#open ?? this.#begin();
    if (!batch.add(event, maxBytes)) {
      this.#close();
      batch = this.#begin();
      batch.add(event, maxBytes);
    }
    if (batch.events.length >= maxEvents || batch.bytes >= maxBytes) this.#close();
  }

  /** Sends what there is now, or as soon as the one before has arrived. */
  flush(): void {
    this.#isDue = true;
    if (this.#running === undefined) this.#close();
  }

  /** Sends the rest; resolves when there is none, or nothing is sent any more. */
  async finish(): Promise<void> {
    this.#close();
    await this.#running;
    clearTimeout(this.#timer);
  }

  #begin(): SinkBatch<Event> {
    this.#isDue = false;
    this.#timer = setTimeout(() => this.flush(), this.#options.windowMs);
    this.#open = this.#options.createBatch();
    return this.#open;
  }

  #close(): void {
    if (this.#open === undefined) return;
    clearTimeout(this.#timer);
    this.#closed.push(this.#open);
    this.#options.onClosed(this.#open);
    this.#open = undefined;
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const batch = this.#closed.shift();
      if (batch !== undefined) this.#isOver = !(await this.#options.deliver(batch.parts()));
      else if (this.#open !== undefined && (this.#isDue || this.#options.isPressed())) this.#close();
      else break;
    }
    this.#running = undefined;
  }
}
