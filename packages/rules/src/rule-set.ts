import type { Item, PageItem, RedirectCode, RedirectItem } from "@posthouse/protocol";
import type { Problem } from "./problem.ts";

export interface RedirectMatch {
  readonly kind: "redirect";
  readonly item: RedirectItem;
  readonly status: RedirectCode;
  /** The rule's target with captures filled in. What is sent is made of it by `formatAnswer`. */
  readonly target: string;
}

export interface PageMatch {
  readonly kind: "page";
  readonly item: PageItem;
  readonly status: 200;
  readonly contentType: string;
  readonly content: string;
}

export type Match = RedirectMatch | PageMatch;

/** What requests could not be given, counted since the first RuleSet of a line of builders. */
export interface RuleSetCounters {
  /** Requests whose URI was too long for the regex stage. */
  uriTooLong: number;
  /** Requests whose regex stage was cut off by its time limit. */
  regexTimeouts: number;
  /** Rules passed over because a capture would have chosen the host of the target, or made it too long. */
  targetsRefused: number;
}

/** Compiled redirects and pages; immutable. */
export interface RuleSet {
  /** Items served. */
  readonly redirects: number;
  readonly pages: number;
  /** `error`: the item is left out. `warning`: it is served. */
  readonly problems: readonly Problem[];
  readonly counters: Readonly<RuleSetCounters>;
  /** `uri` as `requestUri` gives it. */
  match(host: string, uri: string): Match | undefined;
  /** Every item put in, also those left out, in id order. */
  items(): IterableIterator<Item>;
  get(id: number): Item | undefined;
}

export interface RuleSetOptions {
  /** Match exactly as Flecto's Go agents do, with the misses of their prefix index. */
  readonly compat?: "flecto" | undefined;
  /** Time for the regexes of one request; the rest is passed over. Default 20. */
  readonly regexTimeMs?: number;
  /** Longer URIs skip the regex stage. In UTF-16 units, default 2048. */
  readonly regexUriLength?: number;
  /** Largest re2js program of a pattern that V8 may not run. Default 250. */
  readonly patternSize?: number;
  /** Compiled patterns kept. Default 20,000. */
  readonly compiledPatterns?: number;
  /** Milliseconds from any origin. Default `performance.now`. */
  readonly clock?: () => number;
}

/** Makes a RuleSet from another one and changes, or from nothing. */
export interface RuleSetBuilder {
  put(item: Item): void;
  delete(id: number): void;
  /** Cheap: the work is done in `put` and `delete`, so that a caller may slice it. The builder may be used on. */
  build(): RuleSet;
}
