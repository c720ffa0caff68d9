import type { CompiledPattern } from "./pattern/compiled-pattern.ts";
import { createPatternCache } from "./pattern/pattern-cache.ts";
import { findRules, type PrefixNode } from "./prefix-tree.ts";
import { compareRules, type RegexRule } from "./regex-rule.ts";
import type { RuleSetCounters, RuleSetOptions } from "./rule-set.ts";
import { substitute } from "./substitution.ts";
import { isTargetSafe } from "./target.ts";

interface RegexHit {
  readonly id: number;
  readonly target: string;
}

/** Runs the patterns of a request, within bounds. One stage is shared by a line of RuleSets, with its cache. */
export interface RegexStage {
  readonly counters: RuleSetCounters;
  match(
    trees: { readonly withHost: PrefixNode; readonly pathOnly: PrefixNode },
    host: string,
    uri: string,
  ): RegexHit | undefined;
}

/** Flecto's sort keeps the order of its index up to this many candidates. */
const stableCandidates = 12;

/**
 * The time that a request's patterns took, from the start of the stage. What it takes to compile a pattern, once, does
 * not count, and no pattern counts for more than half of what is allowed: when the machine or the garbage collector
 * holds the process up, that is no fault of a pattern, and must not cost the request its answer.
 */
interface Spending {
  tried: number;
  spentMs: number;
  since: number;
}

export function createRegexStage(options: RuleSetOptions): RegexStage {
  const flecto = options.compat === "flecto";
  const timeMs = options.regexTimeMs ?? 20;
  const uriLength = options.regexUriLength ?? 2048;
  const clock = options.clock ?? (() => performance.now());
  const cache = createPatternCache(options.compiledPatterns ?? 20_000);
  const counters: RuleSetCounters = { uriTooLong: 0, regexTimeouts: 0, targetsRefused: 0 };

  function isLate(spending: Spending): boolean {
    const now = clock();
    spending.spentMs += Math.min(now - spending.since, timeMs / 2);
    spending.since = now;
    return spending.spentMs > timeMs;
  }

  function matchTree(root: PrefixNode, text: string, spending: Spending): RegexHit | undefined | "late" {
    for (const rule of orderCandidates(findRules(root, text), flecto)) {
      if (spending.tried > 0 && isLate(spending)) return "late";
      spending.tried += 1;
      const captures = ready(rule, spending).exec(text);
      if (captures === undefined) continue;
      const target = substitute(rule.target, captures);
      if (target !== undefined && (flecto || isTargetSafe(rule, target, captures.length - 1)))
        return { id: rule.id, target };
      counters.targetsRefused += 1;
    }
    return undefined;
  }

  function ready(rule: RegexRule, spending: Spending): CompiledPattern {
    if (rule.compiled !== undefined) return cache.compiled(rule);
    const started = clock();
    const compiled = cache.compiled(rule);
    spending.since += clock() - started;
    return compiled;
  }

  return {
    counters,
    match({ withHost, pathOnly }, host, uri) {
      if (isEmpty(withHost) && isEmpty(pathOnly)) return undefined;
      if (uri.length > uriLength) {
        counters.uriTooLong += 1;
        return undefined;
      }
      const spending = { tried: 0, spentMs: 0, since: clock() };
      let hit = isEmpty(withHost) ? undefined : matchTree(withHost, host + uri, spending);
      if (hit === undefined) hit = matchTree(pathOnly, uri, spending);
      if (hit !== "late") return hit;
      counters.regexTimeouts += 1;
      return undefined;
    },
  };
}

function isEmpty(root: PrefixNode): boolean {
  return root.rules.length === 0 && root.children.length === 0;
}

/** Longest source first. Ties: the older rule; in Flecto, the shorter prefix, those without a prefix last. */
function orderCandidates(lists: readonly RegexRule[][], flecto: boolean): readonly RegexRule[] {
  const [first] = lists;
  if (first === undefined || lists.length === 1) return first ?? [];
  const withoutPrefixLast = first[0]?.prefix === "" ? [...lists.slice(1), first] : lists;
  const all = withoutPrefixLast.flat();
  if (flecto && all.length <= stableCandidates) return all.sort((left, right) => right.weight - left.weight);
  return all.sort(compareRules);
}
