import { hash } from "node:crypto";
import { type CeleryEvent, type EventRules, validateEvent } from "./event.ts";
import { type BrokerMessage, decodeMessage } from "./message.ts";
import type { Poison } from "./poison.ts";

/**
 * What is known of an event that may have been sent before, by a process that ended without noting it. in-order: then so
 * were those of its task that came before it. any-order: nothing.
 */
export type Again = "in-order" | "any-order";

/** An event that can be delivered. */
export interface ReceivedEvent {
  readonly kind: "event";
  /**
   * 22 characters, the same for the same event wherever and however often it is received: a hash over all of it. Events
   * of the same id are one event.
   */
  readonly id: string;
  readonly event: CeleryEvent;
  /** Undefined: it was never sent. */
  readonly again?: Again | undefined;
}

/**
 * The events of a broker's message in their order, each by itself: what is wrong with one does not touch the others.
 * Nothing for an empty list. Never throws, whatever the bytes are.
 */
export function readEvents(message: BrokerMessage, rules: EventRules): (ReceivedEvent | Poison)[] {
  const decoded = decodeMessage(message);
  if (decoded.kind === "poison") return [decoded];
  return decoded.values.map((value, index) => {
    const checked = validateEvent(value, rules);
    if (checked.kind === "event") return { kind: "event", id: eventId(checked.event), event: checked.event };
    const raw = Buffer.from(decoded.source(index));
    return { kind: "poison", reason: checked.reason, detail: checked.detail, raw, scope: "event" };
  });
}

function eventId(event: CeleryEvent): string {
  return hash("sha256", JSON.stringify(event), "base64url").slice(0, 22);
}
