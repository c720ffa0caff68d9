/** How often, and when last, each rule of a project answered. In memory, since the agent started. */
import type { Item } from "@posthouse/protocol";
import type { RuleSet } from "@posthouse/rules";
import type { Log } from "@posthouse/service";
import { createSlices } from "../core/slices.ts";
import { type HitCount, HitTable } from "./hit-table.ts";

export interface Hits {
  /** A rule of this rule set answered. */
  count(ruleSet: RuleSet, id: number): void;
  get(id: number): HitCount | undefined;
  /** All hits, those of rules that are gone included. */
  readonly total: number;
  /** Rules with at least one hit. */
  readonly distinct: number;
  /** Hits that found no room. */
  readonly uncounted: number;
  /** Resolves when the counts stand under the ids of this rule set. */
  turnTo(ruleSet: RuleSet): Promise<void>;
}

/**
 * Counts stand under ids. When the rule set changes they follow their rules, by type and source: ids stay with a
 * Posthouse Manager, but are positions in a file or a Flecto Manager's list. A rule with another source begins anew.
 */
export function createHits(log: Log): Hits {
  let table = new HitTable();
  let current: RuleSet | undefined;
  let total = 0;
  let uncounted = 0;
  let following: Promise<void> = Promise.resolve();

  function change(ruleSet: RuleSet): void {
    const [before, from] = [current, table];
    current = ruleSet;
    if (before === undefined || total === 0) return;
    const to = new HitTable();
    table = to;
    uncounted += from.uncounted;
    following = following
      .then(() => follow(before, from, ruleSet, to))
      .catch((error: unknown) => log.error({ error }, "the hit counts were lost"));
  }

  return {
    count(ruleSet, id) {
      if (ruleSet !== current) change(ruleSet);
      total += 1;
      table.add(id, 1, Math.floor(Date.now() / 1000));
    },
    get: (id) => table.get(id),
    get total() {
      return total;
    },
    get distinct() {
      return table.distinct;
    },
    get uncounted() {
      return uncounted + table.uncounted;
    },
    turnTo(ruleSet) {
      if (ruleSet !== current) change(ruleSet);
      return following;
    },
  };
}

/** Adds the counts of one rule set's table to the next one's, in slices. */
async function follow(before: RuleSet, from: HitTable, after: RuleSet, to: HitTable): Promise<void> {
  const slices = createSlices();
  const moved = new Map<string, HitCount>();
  for (const [id, hits] of from.entries()) {
    const was = before.get(id);
    const is = after.get(id);
    if (was !== undefined && is !== undefined && isSameRule(was, is)) to.add(id, hits.count, hits.last);
    else if (was !== undefined) moved.set(ruleKey(was), hits);
    if (slices.isDue()) await slices.pause();
  }
  if (moved.size === 0) return;
  for (const item of after.items()) {
    const key = ruleKey(item);
    const hits = moved.get(key);
    if (hits !== undefined) to.add(item.id, hits.count, hits.last);
    if (hits !== undefined && moved.delete(key) && moved.size === 0) return;
    if (slices.isDue()) await slices.pause();
  }
}

const sourceOf = (item: Item): string => (item.kind === "redirect" ? item.source : item.path);
const ruleKey = (item: Item): string => `${item.kind} ${item.type} ${sourceOf(item)}`;
const isSameRule = (one: Item, other: Item): boolean =>
  one === other || (one.type === other.type && one.kind === other.kind && sourceOf(one) === sourceOf(other));
