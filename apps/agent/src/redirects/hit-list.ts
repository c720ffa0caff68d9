import type { Item } from "@posthouse/protocol";
import type { RuleSet } from "@posthouse/rules";
import { createSlices } from "../core/slices.ts";
import type { Hits } from "./hits.ts";

export type HitOrder = "most" | "least" | "recent" | "id";

/** One rule or page in the list; `last` is missing for one that was never hit. */
export interface HitEntry {
  readonly id: number;
  readonly kind: Item["kind"];
  readonly type: Item["type"];
  /** A redirect's source, a page's path. */
  readonly source: string;
  readonly hits: number;
  readonly last?: string;
}

interface Counted {
  readonly item: Item;
  readonly count: number;
  readonly last: number;
}

const comparisons: Readonly<Record<HitOrder, (a: Counted, b: Counted) => number>> = {
  most: (a, b) => b.count - a.count || a.item.id - b.item.id,
  least: (a, b) => a.count - b.count || a.last - b.last || a.item.id - b.item.id,
  recent: (a, b) => b.last - a.last || a.item.id - b.item.id,
  id: (a, b) => a.item.id - b.item.id,
};

export interface HitList {
  /** All hits since the agent started, those of rules that are gone included. */
  readonly total: number;
  /** Redirects and pages of the rule set, and how many of them were hit. */
  readonly rules: number;
  readonly hitRules: number;
  /** Hits that could not be counted per rule. */
  readonly uncounted: number;
  readonly items: readonly HitEntry[];
}

/** The first `limit` rules of a rule set in this order, those that were never hit included. Reads all, in slices. */
export async function listHits(
  ruleSet: RuleSet | undefined,
  hits: Hits,
  { limit, order }: { readonly limit: number; readonly order: HitOrder },
): Promise<HitList> {
  if (ruleSet) await hits.turnTo(ruleSet);
  const slices = createSlices();
  let best: Counted[] = [];
  let rules = 0;
  let hitRules = 0;
  const cut = (): void => {
    best = best.sort(comparisons[order]).slice(0, limit);
  };
  for (const item of ruleSet?.items() ?? []) {
    const { count = 0, last = 0 } = hits.get(item.id) ?? {};
    rules += 1;
    if (count > 0) hitRules += 1;
    best.push({ item, count, last });
    if (best.length >= limit * 2 + 1000) cut();
    if (slices.isDue()) await slices.pause();
  }
  cut();
  const { total, uncounted } = hits;
  return { total, rules, hitRules, uncounted, items: best.map(describeEntry) };
}

function describeEntry({ item, count, last }: Counted): HitEntry {
  const { id, kind, type } = item;
  const source = item.kind === "redirect" ? item.source : item.path;
  return {
    id,
    kind,
    type,
    source,
    hits: count,
    ...(last > 0 && { last: new Date(last * 1000).toISOString() }),
  };
}
