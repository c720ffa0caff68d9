import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { Spool } from "../spool/spool.ts";
import type { BrokerMessage } from "./celery/message.ts";
import type { Intake } from "./source.ts";
import { encodeCut, encodeMessage } from "./spooled-message.ts";

export interface IntakeOptions {
  /** Runs for as long as the intake is used. */
  readonly spool: Spool;
  readonly log: Log;
}

export interface IntakeCounters {
  /** Messages that are durable. */
  readonly taken: number;
  /** Times a message was not taken: no room, or the disk fails. The same message may be offered again. */
  readonly refused: number;
  /** Messages of which the spool takes only the beginning; they become dead letters. */
  readonly cut: number;
  /** Messages that were taken, could not be written, and were kept here until they could. */
  readonly retried: number;
}

interface Held {
  readonly message: BrokerMessage;
  readonly done: () => void;
  isCut: boolean;
}

/** How long it takes at most until a source that was refused hears of room. */
const lookAgainMs = 250;

/**
 * Keeps messages in a spool. Those that were taken and then could not be written are held here, and written first when
 * the disk works again: the source need not know. Until then nothing more is taken.
 */
export function createIntake({ spool, log }: IntakeOptions): Intake & { readonly counters: IntakeCounters } {
  const counters = { taken: 0, refused: 0, cut: 0, retried: 0 };
  const listeners = new Set<() => void>();
  /** Given to the spool, in order; it answers in this order. */
  const given: Held[] = [];
  /** To be given to the spool again, in order. */
  let held: Held[] = [];
  /** How many of these were rejected since they were last given: what was refused then comes after them. */
  let rejected = 0;
  let timer: NodeJS.Timeout | undefined;

  /** What is wrong, when it was refused at once. */
  function give(one: Held): Error | undefined {
    let isSync = true;
    let refusal: Error | undefined;
    given.push(one);
    spool.appendThen(one.isCut ? encodeCut(one.message) : encodeMessage(one.message), (error) => {
      if (isSync) refusal = error;
      else if (error === undefined) onDurable();
      else onRejected(error);
    });
    isSync = false;
    if (refusal === undefined) return undefined;
    given.pop();
    if (!hasCode(refusal, "SPOOL_RECORD_TOO_LARGE") || one.isCut) return refusal;
    one.isCut = true;
    const still = give(one);
    if (still !== undefined) return still;
    counters.cut++;
    log.warn({ error: refusal }, "a message is too large to be kept: its beginning becomes a dead letter");
    return undefined;
  }

  function onDurable(): void {
    const one = given.shift();
    counters.taken++;
    one?.done();
  }

  function onRejected(error: Error): void {
    const one = given.shift();
    if (one === undefined) return;
    if (hasCode(error, "SPOOL_STOPPED")) return; // it is offered again by the broker
    if (held.length === 0) log.debug({ error }, "messages wait in memory until they can be written");
    held.splice(rejected++, 0, one);
    counters.retried++;
    lookAgain();
  }

  function hasRoom(): boolean {
    if (held.length > 0 && given.length === 0 && !spool.isFull) {
      const again = held;
      held = [];
      rejected = 0;
      for (const [index, one] of again.entries()) {
        if (give(one) === undefined) continue;
        held = again.slice(index);
        break;
      }
    }
    return held.length === 0 && !spool.isFull;
  }

  function onRoom(): void {
    clearTimeout(timer);
    timer = undefined;
    if (!hasRoom()) {
      lookAgain();
      return;
    }
    const called = [...listeners];
    listeners.clear();
    for (const listener of called) listener();
  }

  /** The spool tells of room only when it was full: a large message may be refused before. */
  function lookAgain(): void {
    if (held.length === 0 && listeners.size === 0) return;
    timer ??= setTimeout(onRoom, lookAgainMs).unref();
  }

  spool.onRoom(onRoom);
  return {
    take(message, done) {
      if (spool.isFull || held.length > 0 || give({ message, done, isCut: false }) !== undefined) {
        counters.refused++;
        return false;
      }
      return true;
    },
    onRoom(listener) {
      listeners.add(listener);
      lookAgain();
    },
    counters,
  };
}

function hasCode(error: Error, code: string): boolean {
  return isPosthouseError(error) && error.code === code;
}
