/** Compares what arrived with what had to. Pure: a test takes something away and must hear of it. */
import { isDeepStrictEqual } from "node:util";
import type { IndexedDocument } from "../leek-index.ts";
import type { Account, Arrival, Owed } from "./ledger.ts";
import { modelOf } from "./model.ts";
import type { Story } from "./story.ts";

export interface Verdict {
  /** Events that came more than once: how many times too many. */
  readonly duplicates: number;
  /** Came after a later one of their task, because the broker gave them so. */
  readonly reordered: number;
  readonly arrived: number;
  /** Redis: certain, did not arrive, and excused, by what happened; the longest time between sending and that. */
  readonly excused: ReadonlyMap<string, Excused>;
  readonly problems: readonly string[];
}

export interface Excused {
  readonly events: number;
  readonly messages: ReadonlySet<number>;
  readonly longestMs: number;
}

/** How many of a kind are told. */
const shown = 5;

export interface ArrivalsContext {
  readonly story?: Story;
  /** When RabbitMQ lost its consumers. Default: never. */
  readonly consumersEnded?: readonly number[];
}

/**
 * A sink that does not merge: each event that had to arrive did, as it was sent, those of a task in their order. But a
 * quorum queue puts what a lost consumer gives back behind what it was given back before: after the second loss the
 * later ones may come first.
 */
export function judgeArrivals(
  account: Account,
  arrivals: readonly Arrival[],
  { story, consumersEnded = [] }: ArrivalsContext = {},
): Verdict {
  const problems = new Problems();
  const seen = new Map<number, string>();
  const furthest = new Map<string, number>();
  let duplicates = 0;
  let reordered = 0;
  for (const { id, event, atMs = Number.NaN } of arrivals) {
    const clock = Number(event.clock);
    const owed = account.events.get(clock);
    if (owed === undefined || owed.isPoison) {
      problems.add("arrived and was never sent", JSON.stringify(event));
      continue;
    }
    if (!isDeepStrictEqual(event, owed.event))
      problems.add(
        "arrived as another",
        `${JSON.stringify(event)}, and was sent as ${JSON.stringify(owed.event)}`,
      );
    const before = seen.get(clock);
    if (before !== undefined) {
      duplicates++;
      if (before !== id) problems.add("came again with another id", describe(owed));
      continue;
    }
    seen.set(clock, id);
    const entity = String(event.uuid ?? event.hostname);
    const last = furthest.get(entity) ?? 0;
    const ends = consumersEnded.filter((endMs) => endMs > owed.sentMs && endMs < atMs);
    if (clock >= last) furthest.set(entity, clock);
    else if (ends.length >= 2) reordered++;
    else problems.add("came after a later one of its task", describe(owed), () => story?.event(owed));
  }
  const owedEvents = [...account.events.values()].filter(({ isPoison }) => !isPoison);
  for (const owed of owedEvents)
    if (owed.isPromised && !seen.has(owed.event.clock))
      problems.add("did not arrive", describe(owed), () => story?.event(owed));
  return {
    duplicates,
    reordered,
    arrived: seen.size,
    excused: excusedOf(owedEvents.filter(({ event }) => !seen.has(event.clock))),
    problems: problems.list,
  };
}

/** Leek's API: each document is what the events that had to arrive, and some of those that might, make of it. */
export function judgeDocuments(
  account: Account,
  documents: ReadonlyMap<string, IndexedDocument>,
  appEnv: string,
  story?: Story,
): Verdict {
  const problems = new Problems();
  let duplicates = 0;
  let arrived = 0;
  for (const [entity, owed] of account.entities) {
    const found = documents.get(entity);
    const fitting = fittingModel(owed, found, appEnv);
    if (fitting === undefined) {
      const wanted = modelOf(promised(owed), appEnv);
      problems.add("is not as the model has it", `${entity}: ${difference(found, wanted)}`, () =>
        story?.entity(entity),
      );
    } else if (found !== undefined) {
      arrived += Number(fitting.events_count);
      duplicates += Number(found.events_count) - Number(fitting.events_count);
    }
  }
  for (const id of documents.keys())
    if (!account.entities.has(id)) problems.add("is a document of nothing that was sent", id);
  return { duplicates, reordered: 0, arrived, excused: new Map(), problems: problems.list };
}

/** Dead letters: those that can never be delivered, and no others. */
export function judgeDeadLetters(account: Account, texts: readonly string[]): readonly string[] {
  const problems = new Problems();
  const buried = new Set<number>();
  for (const text of texts) {
    const clock = Number(/"clock":(\d+)/.exec(text)?.[1]);
    if (account.events.get(clock)?.isPoison === true) buried.add(clock);
    else problems.add("is a dead letter and can be delivered", text.slice(0, 300));
  }
  for (const { event, isPoison, isPromised } of account.events.values())
    if (isPoison && isPromised && !buried.has(event.clock))
      problems.add("is neither delivered nor a dead letter", `poison ${event.clock}`);
  return problems.list;
}

const promised = (owed: readonly Owed[]) =>
  owed.filter(({ isPromised }) => isPromised).map(({ event }) => event);

/** The model of those that had to arrive and the first combination of others that explains what is there. */
function fittingModel(
  owed: readonly Owed[],
  found: IndexedDocument | undefined,
  appEnv: string,
): IndexedDocument | undefined {
  const open = owed.filter(({ isPromised }) => !isPromised);
  for (let chosen = 0; chosen < 2 ** open.length; chosen++) {
    const left = new Set(open.filter((_, at) => ((chosen >> at) & 1) === 0));
    const model = modelOf(
      owed.filter((each) => !left.has(each)).map(({ event }) => event),
      appEnv,
    );
    if (model === undefined && found === undefined) return { events_count: 0 };
    if (model !== undefined && found !== undefined && fits(found, model)) return model;
  }
  return undefined;
}

/** What is counted may be more than the model has, by what came again. */
function fits(found: IndexedDocument, model: IndexedDocument): boolean {
  if (Number(found.events_count) < Number(model.events_count)) return false;
  const states = (document: IndexedDocument) => new Set((document.events ?? []) as readonly string[]);
  // The list is cut at 21: what came again may have pushed the oldest out.
  if (Number(found.events_count) <= 21 && !isDeepStrictEqual(states(found), states(model))) return false;
  return isDeepStrictEqual(comparable(found), comparable(model));
}

function comparable({ updated_at: _at, events: _events, events_count: _count, ...rest }: IndexedDocument) {
  return rest;
}

function difference(found: IndexedDocument | undefined, wanted: IndexedDocument | undefined): string {
  if (found === undefined) return "missing";
  if (wanted === undefined) return "there";
  const keys = new Set([...Object.keys(found), ...Object.keys(wanted)]);
  keys.delete("updated_at");
  const differing = [...keys].filter((key) => !isDeepStrictEqual(found[key], wanted[key]));
  return differing
    .map((key) => `${key} is ${JSON.stringify(found[key])}, wanted ${JSON.stringify(wanted[key])}`)
    .join("; ");
}

function excusedOf(owed: readonly Owed[]): Verdict["excused"] {
  const excused = new Map<string, { events: number; messages: Set<number>; longestMs: number }>();
  for (const { isCertain, excuse, sentMs, message } of owed) {
    if (!isCertain || excuse === undefined) continue;
    const { events, messages, longestMs } = excused.get(excuse.reason) ?? nothing();
    messages.add(message);
    excused.set(excuse.reason, {
      events: events + 1,
      messages,
      longestMs: Math.max(longestMs, excuse.atMs - sentMs),
    });
  }
  return excused;
}

const nothing = () => ({ events: 0, messages: new Set<number>(), longestMs: 0 });

function describe({ event }: Owed): string {
  return `${event.type} of ${String(event.uuid ?? event.hostname)}, number ${event.clock}`;
}

class Problems {
  readonly #kinds = new Map<string, string[]>();

  /** `story` is asked for those that are shown. */
  add(kind: string, what: string, story?: () => string | undefined): void {
    const known = this.#kinds.get(kind) ?? [];
    this.#kinds.set(kind, known);
    const more = known.length < shown ? story?.() : undefined;
    known.push(more === undefined ? what : `${what}\n    ${more}`);
  }

  get list(): string[] {
    return [...this.#kinds].map(([kind, all]) => {
      const more = all.length > shown ? `\n  and ${all.length - shown} more` : "";
      return `${all.length} × ${kind}:${all
        .slice(0, shown)
        .map((what) => `\n  ${what}`)
        .join("")}${more}`;
    });
  }
}
