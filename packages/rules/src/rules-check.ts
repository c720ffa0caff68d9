import type { Item, RedirectItem } from "@posthouse/protocol";
import { checkPage } from "./page-check.ts";
import { readFlectoPrefix } from "./pattern-check.ts";
import { createPrefixTree, insertRule, type PrefixNode } from "./prefix-tree.ts";
import { createProblem, type Problem } from "./problem.ts";
import { checkRedirect } from "./redirect-check.ts";
import { createRegexRule, type RegexRule } from "./regex-rule.ts";

/**
 * Everything that is wrong or doubtful with the items of a project: with each of them, and with some because of others.
 * Reads every item, so it is not for the request path.
 */
export function checkRules(items: Iterable<Item>): Problem[] {
  const all = [...items].sort((a, b) => a.id - b.id);
  const problems = all.flatMap((item) => {
    const found = item.kind === "page" ? checkPage(item) : checkRedirect(item);
    return found.map((problem): Problem => ({ ...problem, itemId: item.id }));
  });
  return [...problems, ...findRepeated(all), ...findOpenOrder(all)].sort(
    (a, b) => (a.itemId ?? 0) - (b.itemId ?? 0),
  );
}

/** Of exact ones the last answers, of patterns the first. */
function findRepeated(items: readonly Item[]): Problem[] {
  const groups = Map.groupBy(items, (item) =>
    JSON.stringify([item.kind, item.type, item.kind === "page" ? item.path : item.source]),
  );
  return [...groups.values()].flatMap((same) => {
    if (same.length < 2) return [];
    const [first] = same;
    const winner = first?.type.startsWith("REGEX") ? first : same.at(-1);
    return same.flatMap((item) => {
      if (item === winner) return [];
      const values = { other: winner?.id ?? 0 };
      const isPage = item.kind === "page";
      const details = { field: isPage ? "path" : "source", position: 0, values };
      return [{ ...createProblem(isPage ? "PATH_REPEATED" : "SOURCE_REPEATED", details), itemId: item.id }];
    });
  });
}

/** Go's sort keeps no order among more candidates than these. */
const stableCandidates = 12;

/** Patterns of one length that may be among more candidates than Go's sort keeps in order. */
function findOpenOrder(items: readonly Item[]): Problem[] {
  const rivals = new Map<RegexRule, RegexRule>();
  for (const type of ["REGEX", "REGEX_HOST"] as const) {
    const owner = {};
    let root = createPrefixTree(owner);
    for (const item of items) {
      if (item.kind === "redirect" && item.type === type) root = insertRule(root, toRule(item), owner);
    }
    findRivals(root, { byWeight: new Map(), size: 0 }, rivals);
  }
  return [...rivals].map(([rule, other]) => {
    const values = { other: other.id };
    const problem = createProblem("ORDER_OPEN_IN_FLECTO", { field: "source", position: 0, values });
    return { ...problem, itemId: rule.id };
  });
}

function toRule(item: RedirectItem): RegexRule {
  return createRegexRule(item, readFlectoPrefix(item.source).found);
}

/** The rules of a node and of all above it, which may be candidates together. */
interface Candidates {
  readonly byWeight: Map<number, RegexRule[]>;
  size: number;
}

function findRivals(node: PrefixNode, candidates: Candidates, rivals: Map<RegexRule, RegexRule>): void {
  const { byWeight } = candidates;
  const wereFew = candidates.size <= stableCandidates;
  for (const rule of node.rules) {
    const same = byWeight.get(rule.weight);
    if (same === undefined) byWeight.set(rule.weight, [rule]);
    else same.push(rule);
  }
  candidates.size += node.rules.length;
  if (candidates.size > stableCandidates) {
    const weights = wereFew ? byWeight.keys() : node.rules.map(({ weight }) => weight);
    for (const weight of new Set(weights)) addRivals(byWeight.get(weight) ?? [], rivals);
  }
  for (const child of node.children) findRivals(child, candidates, rivals);
  candidates.size -= node.rules.length;
  for (const { weight } of node.rules) byWeight.get(weight)?.pop();
}

function addRivals(same: readonly RegexRule[], rivals: Map<RegexRule, RegexRule>): void {
  const [first, second] = same;
  if (first === undefined || second === undefined) return;
  for (const rule of same) if (!rivals.has(rule)) rivals.set(rule, rule === first ? second : first);
}
