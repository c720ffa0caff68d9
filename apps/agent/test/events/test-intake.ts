import type { BrokerMessage } from "../../src/events/celery/message.ts";
import type { Intake } from "../../src/events/source.ts";

/** An intake whose disk is at the test's command. */
export class TestIntake implements Intake {
  readonly taken: BrokerMessage[] = [];
  /** Times at which a message was refused. */
  refused = 0;
  /** How much it takes until there is room again. */
  room: number = Number.POSITIVE_INFINITY;
  /** Whether what is taken is durable at once. */
  isDurable = true;
  readonly #waiting: (() => void)[] = [];
  readonly #listeners: (() => void)[] = [];

  take(message: BrokerMessage, done: () => void): boolean {
    if (this.room <= 0) {
      this.refused++;
      return false;
    }
    this.room--;
    this.taken.push(message);
    if (this.isDurable && this.#waiting.length === 0) done();
    else this.#waiting.push(done);
    return true;
  }

  onRoom(listener: () => void): void {
    this.#listeners.push(listener);
  }

  get listeners(): number {
    return this.#listeners.length;
  }

  /** The oldest that wait become durable. */
  settle(count: number = this.#waiting.length): void {
    for (const done of this.#waiting.splice(0, count)) done();
  }

  makeRoom(room: number = Number.POSITIVE_INFINITY): void {
    this.room = room;
    for (const listener of this.#listeners.splice(0)) listener();
  }

  /** What was taken, as text. */
  get texts(): string[] {
    return this.taken.map((message) =>
      Buffer.from(message.transport === "amqp" ? message.body : message.payload).toString("utf8"),
    );
  }
}
