import type { LeekDocument } from "./document.ts";
import type { CeleryEvent } from "./event.ts";
import { isTerminal, mergeDocuments } from "./merge.ts";
import type { Again } from "./received-event.ts";
import { toDocument } from "./transform.ts";

export interface BatchOptions {
  readonly appEnv: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A document as it will be sent. */
export interface BatchEntry {
  readonly id: string;
  readonly kind: LeekDocument["kind"];
  /** Without raw lone surrogates: what they stood for is U+FFFD, since Leek's API drops the rest of a batch for one. */
  readonly json: string;
  /** Of `json` in UTF-8. */
  readonly bytes: number;
  /** How many events are in it. */
  readonly events: number;
}

/** The events of one request to Leek's API, as documents: one per task or worker, in the order of first arrival. */
export interface DocumentBatch {
  /**
   * Takes in one event. False, with nothing changed, when the batch would be larger than `limitBytes` with it, or when
   * Leek might take the document with it for one that it has; an empty batch takes any.
   */
  add(event: CeleryEvent, limitBytes: number, again?: Again): boolean;
  readonly entries: readonly BatchEntry[];
  /** How many events are in it. */
  readonly events: number;
  /** Length in bytes of what `body` gives. */
  readonly bytes: number;
  /** The JSON array to be posted. */
  body(): string;
}

interface Entry extends BatchEntry {
  document: LeekDocument;
  json: string;
  bytes: number;
  events: number;
  /** Of the event that state and time are of. */
  again: Again | undefined;
}

export function createDocumentBatch({ appEnv, now }: BatchOptions): DocumentBatch {
  const entries: Entry[] = [];
  const known = { task: new Map<string, Entry>(), worker: new Map<string, Entry>() };
  let events = 0;
  let bytes = 2;
  return {
    add(event, limitBytes, again) {
      const coming = toDocument(event, { appEnv, now: now() });
      const entry = known[coming.kind].get(coming.id);
      const document = entry === undefined ? coming : mergeDocuments(entry.document, coming);
      const isLate = entry !== undefined && isOfSameMoment(entry.document, document);
      if (
        entry !== undefined &&
        isMasked(document, isLate ? entry.again !== undefined : again === "any-order")
      )
        return false;
      const json = toJson(document);
      const size = Buffer.byteLength(json);
      const grown = bytes + size - (entry === undefined ? (entries.length === 0 ? 0 : -1) : entry.bytes);
      if (grown > limitBytes && events > 0) return false;
      bytes = grown;
      events++;
      if (entry === undefined) {
        const added = { id: coming.id, kind: coming.kind, document, json, bytes: size, events: 1, again };
        entries.push(added);
        known[coming.kind].set(coming.id, added);
      } else {
        entry.document = document;
        entry.json = json;
        entry.bytes = size;
        entry.events++;
        if (!isLate) entry.again = again;
      }
      return true;
    },
    entries,
    get events() {
      return events;
    },
    get bytes() {
      return bytes;
    },
    body: () => batchBody(entries),
  };
}

/** The JSON array of some documents: of a batch, or of a part of it that is sent again. */
export function batchBody(entries: readonly BatchEntry[]): string {
  return `[${entries.map(({ json }) => json).join(",")}]`;
}

function isOfSameMoment(one: LeekDocument, other: LeekDocument): boolean {
  return one.state === other.state && one.exact_timestamp === other.exact_timestamp;
}

/**
 * Leek ignores a document of the state and time that it has, with all that is merged in it, unless the state is an end.
 * `mayBeThere`: it may have this state and time from the event alone that brought them, without what else is in it.
 */
function isMasked(document: LeekDocument, mayBeThere: boolean): boolean {
  return mayBeThere && !isTerminal(document);
}

function toJson(document: LeekDocument): string {
  const json = JSON.stringify(document);
  return json.includes("\\ud") ? JSON.stringify(document, wellFormed) : json;
}

function wellFormed(_: string, value: unknown): unknown {
  return typeof value === "string" ? value.toWellFormed() : value;
}
