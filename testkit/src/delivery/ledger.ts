import { entityOf, type SentEvent, type SentMessage } from "./traffic.ts";

/**
 * What the broker said of a message: certain: it has it (RabbitMQ), or handed it to us (Redis). uncertain: it said
 * nothing, or had nobody to hand it to.
 */
export type Outcome = "certain" | "uncertain";

/** A time in which Redis' messages may be lost, with the fault that is the reason. */
export interface Excuse {
  readonly reason: string;
  readonly fromMs: number;
  /** Infinity while it lasts. */
  toMs: number;
  /** When something was cut or killed. */
  readonly atMs: number;
}

/** An event as a webhook gets it. */
export interface Arrival {
  readonly id: string;
  readonly event: Readonly<Record<string, unknown>>;
  /** Of `performance.now()`, and of the agent: for the story of a problem. */
  readonly atMs?: number;
  readonly life?: number;
}

interface Entry {
  readonly message: SentMessage;
  readonly sentMs: number;
  answeredMs: number;
  outcome: Outcome;
  excuse: Excuse | undefined;
}

/** What was sent to one subscription, and what of it has to arrive. Times are of `performance.now()`. */
export class Ledger {
  readonly #entries: Entry[] = [];
  readonly excuses: Excuse[] = [];

  /** To be called before it is sent; what is returned, with the broker's answer. */
  begin(message: SentMessage): (outcome: Outcome) => void {
    const sentMs = performance.now();
    const entry: Entry = { message, sentMs, answeredMs: Infinity, outcome: "uncertain", excuse: undefined };
    this.#entries.push(entry);
    return (outcome) => {
      entry.outcome = outcome;
      entry.answeredMs = performance.now();
    };
  }

  /** In the order in which they were sent. */
  account(): Account {
    const account: Account = {
      events: new Map(),
      entities: new Map(),
      messages: this.#entries.length,
      certain: 0,
    };
    for (const [number, { message, sentMs, answeredMs, outcome }] of this.#entries.entries()) {
      if (outcome === "certain") account.certain++;
      const excuse = this.excuses.findLast(({ fromMs, toMs }) => answeredMs >= fromMs && sentMs <= toMs);
      for (const event of message.events) {
        const owed: Owed = {
          ...{ message: number, event, sentMs, answeredMs, excuse, isPoison: message.isPoison },
          isPromised: outcome === "certain" && excuse === undefined,
          isCertain: outcome === "certain",
        };
        account.events.set(event.clock, owed);
        if (message.isPoison) continue;
        const entity = account.entities.get(entityOf(event));
        if (entity === undefined) account.entities.set(entityOf(event), [owed]);
        else entity.push(owed);
      }
    }
    return account;
  }
}

export interface Owed {
  /** The number of its message. */
  readonly message: number;
  readonly event: SentEvent;
  readonly sentMs: number;
  /** Infinity: never. */
  readonly answeredMs: number;
  readonly isPoison: boolean;
  /** It has to arrive. */
  readonly isPromised: boolean;
  /** The broker said that it has it, or handed it over. */
  readonly isCertain: boolean;
  readonly excuse: Excuse | undefined;
}

export interface Account {
  /** By their clock. */
  readonly events: Map<number, Owed>;
  /** Of each task or worker. */
  readonly entities: Map<string, Owed[]>;
  readonly messages: number;
  /** Messages of which the broker said that it has them. */
  certain: number;
}
