/** What happened around an event that is not where it has to be: printed for problems only. */
import type { IndexedDocument } from "../leek-index.ts";
import type { Account, Arrival, Excuse, Owed } from "./ledger.ts";

export interface Happening {
  readonly atMs: number;
  readonly what: string;
}

/** A document that Leek's API took. */
export interface Post {
  readonly atMs: number;
  readonly life: number;
  readonly id: string;
  readonly state: unknown;
  readonly exactTimestamp: unknown;
  /** The newest first. */
  readonly events: unknown;
}

/** Times are of `performance.now()`, and told in seconds since `startMs`. */
export interface StoryOptions {
  readonly startMs: number;
  readonly account: Account;
  readonly excuses: readonly Excuse[];
  readonly happenings: readonly Happening[];
  readonly arrivals: readonly Arrival[];
  readonly posts: readonly Post[];
}

export interface Story {
  /** Of an event that is missing. */
  event(owed: Owed): string;
  /** Of a document that is not as it has to be. */
  entity(id: string): string;
}

const aroundMs = 3000;
const neighbours = 3;
const indent = "\n    ";

export const postOf = (document: IndexedDocument, atMs: number, life: number): Post => ({
  ...{ atMs, life, id: String(document.id), state: document.state },
  ...{ exactTimestamp: document.exact_timestamp, events: document.events ?? document.events_count },
});

export function createStory(options: StoryOptions): Story {
  const { startMs, account, excuses, happenings, posts } = options;
  const seconds = (ms: number): string => ((ms - startMs) / 1000).toFixed(3);
  const arrived = new Map<number, string>();
  for (const { event, atMs = Number.NaN, life } of options.arrivals) {
    const clock = Number(event.clock);
    const when = `${seconds(atMs)} s in life ${life}`;
    arrived.set(clock, arrived.has(clock) ? `${arrived.get(clock)}, ${when}` : when);
  }

  function sent({ event, sentMs, answeredMs, isCertain, excuse }: Owed): string {
    const answer = isCertain ? `certain after ${(answeredMs - sentMs).toFixed(0)} ms` : "uncertain";
    const excused = excuse === undefined ? "" : `, excused by ${excuse.reason}`;
    return `${event.clock} ${event.type}, sent at ${seconds(sentMs)} s, ${answer}${excused}`;
  }

  function around(fromMs: number, toMs: number): string[] {
    const isNear = (atMs: number): boolean => atMs > fromMs - aroundMs && atMs < toMs + aroundMs;
    return [
      ...happenings.filter(({ atMs }) => isNear(atMs)).map(({ atMs, what }) => `${seconds(atMs)} s: ${what}`),
      ...excuses
        .filter((excuse) => excuse.fromMs < toMs + aroundMs && excuse.toMs > fromMs - aroundMs)
        .map(
          ({ reason, fromMs, toMs }) => `excuse from ${seconds(fromMs)} s to ${seconds(toMs)} s: ${reason}`,
        ),
    ];
  }

  return {
    event(owed) {
      const near = [...account.events.values()].filter(
        ({ message }) => Math.abs(message - owed.message) <= neighbours,
      );
      return [
        sent(owed),
        ...near.map(
          (each) => `beside it ${sent(each)}; arrived: ${arrived.get(each.event.clock) ?? "never"}`,
        ),
        ...around(owed.sentMs, owed.sentMs),
      ].join(indent);
    },
    entity(id) {
      const owed = account.entities.get(id) ?? [];
      const times = owed.map(({ sentMs }) => sentMs);
      return [
        ...owed.map(sent),
        ...posts
          .filter((post) => post.id === id)
          .map(
            ({ atMs, life, state, exactTimestamp, events }) =>
              `posted at ${seconds(atMs)} s in life ${life}: ${state} of ${exactTimestamp}, ${JSON.stringify(events)}`,
          ),
        ...around(Math.min(...times), Math.max(...times)),
      ].join(indent);
    },
  };
}
