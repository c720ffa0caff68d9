import type { RedirectItem, RedirectType } from "@posthouse/protocol";
import { utf8Length } from "./bytes.ts";
import type { CachedPattern } from "./pattern/pattern-cache.ts";

/** A redirect with a pattern, as the index keeps it. */
export interface RegexRule extends CachedPattern {
  readonly id: number;
  readonly type: RedirectType;
  readonly target: string;
  /** UTF-8 bytes of the source: the longer is tried first. */
  readonly weight: number;
  /** A text must begin with this to be tried. */
  readonly prefix: string;
}

export function createRegexRule({ id, type, source, target }: RedirectItem, prefix: string): RegexRule {
  return { id, type, source, target, weight: utf8Length(source), prefix, compiled: undefined, generation: 0 };
}

/** Longest source first, then the older rule. */
export function compareRules(left: RegexRule, right: RegexRule): number {
  return right.weight - left.weight || left.id - right.id;
}
