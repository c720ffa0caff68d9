/**
 * Why a message or an event can never be delivered:
 * - too-large: more than 16 MiB, or more than 10,000 events in one message
 * - content-type, content-encoding, compression: not JSON, no known charset, compressed
 * - not-text: the body is not in the charset that it names
 * - envelope: on Redis, no kombu envelope with a body
 * - not-json: the body is no JSON, not even with Python's NaN and Infinity
 * - not-an-event: JSON, but no object where an event should be
 * - unknown-type: no type of Celery's events, or `task-cancelled` where it is not carried
 * - unknown-field: a field that Celery 5 does not send, where unknown fields are not carried
 * - missing-field, invalid-field: against the table of fields
 */
export type PoisonReason =
  | "too-large"
  | "content-type"
  | "content-encoding"
  | "compression"
  | "not-text"
  | "envelope"
  | "not-json"
  | "not-an-event"
  | "unknown-type"
  | "unknown-field"
  | "missing-field"
  | "invalid-field";

export interface Poison {
  readonly kind: "poison";
  readonly reason: PoisonReason;
  /** For people: which field, what was found. At most 200 characters. */
  readonly detail: string;
  /**
   * What to keep: the whole message as the broker gave it, or, when only one event of it is poison, the JSON text of this
   * event exactly as it was sent, in UTF-8, which can be published again by itself.
   */
  readonly raw: Uint8Array;
  readonly scope: "message" | "event";
}

const longestDetail = 200;

export function describePoison(text: string): string {
  return text.length <= longestDetail ? text : `${text.slice(0, longestDetail - 1).toWellFormed()}…`;
}
