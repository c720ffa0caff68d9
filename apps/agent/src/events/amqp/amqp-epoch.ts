import type { BrokerMessage } from "../celery/message.ts";
import type { Intake } from "../source.ts";

/**
 * The deliveries of one channel, from the first to the last. A channel counts them from 1, and an acknowledgement covers
 * all up to its number; so it is enough to count how many are durable. What another channel delivered is of another
 * epoch, and never acknowledged here.
 */
export class AmqpEpoch {
  readonly #intake: Intake;
  readonly #ack: (deliveryTag: number) => void;
  readonly #onPending: (change: 1 | -1) => void;
  readonly #onHolding: () => void;
  readonly #askForRoom: () => void;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;
  #durable = 0;
  #acked = 0;
  #held: BrokerMessage[] = [];
  #isAckDue = false;
  #isOver = false;

  constructor(
    intake: Intake,
    events: {
      ack(deliveryTag: number): void;
      /** A message was taken, or became durable. */
      onPending(change: 1 | -1): void;
      /** It holds messages that the intake refused, or no longer does. */
      onHolding(): void;
      /** Wants `offerHeld` to be called when there is room. */
      askForRoom(): void;
    },
  ) {
    this.#intake = intake;
    this.#ack = events.ack;
    this.#onPending = events.onPending;
    this.#onHolding = events.onHolding;
    this.#askForRoom = events.askForRoom;
  }

  /** Messages that the intake has refused up to now; the broker's prefetch bounds them. */
  get held(): number {
    return this.#held.length;
  }

  receive(message: BrokerMessage): void {
    if (this.#isOver) return;
    if (this.#held.length > 0) this.#held.push(message);
    else if (!this.#offer(message)) this.#hold(message);
  }

  /** No more is taken or acknowledged; the broker has what was not. */
  end(): void {
    this.#isOver = true;
    this.#held = [];
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** Resolves when all that was taken is acknowledged, and nothing more is taken. */
  settle(): Promise<void> {
    this.#held = [];
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#acknowledge();
    });
  }

  #offer(message: BrokerMessage): boolean {
    // Before it is offered: an intake may be done at once.
    this.#taken++;
    this.#onPending(1);
    if (this.#intake.take(message, this.#done)) return true;
    this.#taken--;
    this.#onPending(-1);
    return false;
  }

  readonly #done = (): void => {
    this.#durable++;
    this.#onPending(-1);
    if (this.#isAckDue || this.#isOver) return;
    this.#isAckDue = true;
    setImmediate(this.#acknowledge);
  };

  readonly #acknowledge = (): void => {
    this.#isAckDue = false;
    if (this.#isOver) return;
    if (this.#durable > this.#acked) {
      this.#acked = this.#durable;
      this.#ack(this.#durable);
    }
    if (this.#durable === this.#taken) for (const wake of this.#waiting.splice(0)) wake();
  };

  #hold(message: BrokerMessage): void {
    this.#held.push(message);
    this.#onHolding();
    this.#askForRoom();
  }

  offerHeld(): void {
    if (this.#isOver || this.#held.length === 0) return;
    let index = 0;
    for (const message of this.#held) {
      if (!this.#offer(message)) break;
      index++;
    }
    this.#held.splice(0, index);
    if (this.#held.length > 0) this.#askForRoom();
    else this.#onHolding();
  }
}
