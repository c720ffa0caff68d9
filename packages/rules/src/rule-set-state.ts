import type { Item, PageItem, RedirectItem } from "@posthouse/protocol";
import { deleteItem, getItem, getProblems, type ItemTable, putItem } from "./item-table.ts";
import { checkPage } from "./page-check.ts";
import { findPrefix } from "./pattern/prefix.ts";
import { readFlectoPrefix } from "./pattern-check.ts";
import { createPrefixTree, insertRule, type PrefixNode, removeRule } from "./prefix-tree.ts";
import { isBlocking, type Problem } from "./problem.ts";
import { examineRedirect } from "./redirect-check.ts";
import { createRegexRule } from "./regex-rule.ts";
import { createRegexStage, type RegexStage } from "./regex-stage.ts";
import type { RuleSetOptions } from "./rule-set.ts";
import { createShardedMap, getFrom, type ShardedMap, setIn, shareShardedMap } from "./sharded-map.ts";

/** Items with one key, in id order; mostly one. The last answers. */
export type Exact<Kind> = ShardedMap<Kind | readonly Kind[]>;

/**
 * What a RuleSet is made of. Parts carry the owner that made them; a builder changes its own parts in place and copies
 * all others, so a state is never changed once it is shared.
 */
export interface RuleSetState {
  readonly compat: RuleSetOptions["compat"];
  readonly patternSize: number | undefined;
  readonly stage: RegexStage;
  readonly items: ItemTable;
  readonly redirects: { readonly BASIC: Exact<RedirectItem>; readonly BASIC_HOST: Exact<RedirectItem> };
  readonly pages: { readonly BASIC: Exact<PageItem>; readonly BASIC_HOST: Exact<PageItem> };
  readonly trees: { REGEX: PrefixNode; REGEX_HOST: PrefixNode };
  readonly served: { redirects: number; pages: number };
}

export function createState(options: RuleSetOptions): RuleSetState {
  return {
    compat: options.compat,
    patternSize: options.patternSize,
    stage: createRegexStage(options),
    items: new Map(),
    redirects: { BASIC: createShardedMap(), BASIC_HOST: createShardedMap() },
    pages: { BASIC: createShardedMap(), BASIC_HOST: createShardedMap() },
    trees: { REGEX: createPrefixTree({}), REGEX_HOST: createPrefixTree({}) },
    served: { redirects: 0, pages: 0 },
  };
}

/** A state that shares every part. */
export function shareState(state: RuleSetState): RuleSetState {
  const { redirects, pages } = state;
  return {
    ...state,
    items: new Map(state.items),
    redirects: { BASIC: shareShardedMap(redirects.BASIC), BASIC_HOST: shareShardedMap(redirects.BASIC_HOST) },
    pages: { BASIC: shareShardedMap(pages.BASIC), BASIC_HOST: shareShardedMap(pages.BASIC_HOST) },
    trees: { ...state.trees },
    served: { ...state.served },
  };
}

export function putIntoState(state: RuleSetState, item: Item, owner: object): void {
  deleteFromState(state, item.id, owner);
  const problems =
    item.kind === "redirect" ? serveRedirect(state, item, owner) : servePage(state, item, owner);
  putItem(state.items, item, problems, owner);
}

export function deleteFromState(state: RuleSetState, id: number, owner: object): void {
  const item = getItem(state.items, id);
  if (item === undefined) return;
  const isServed = getProblems(state.items, id).every(({ severity }) => severity !== "error");
  deleteItem(state.items, id, owner);
  if (!isServed) return;
  if (item.kind === "page") {
    state.served.pages -= 1;
    removeExact(state.pages[item.type], item.path, item, owner);
    return;
  }
  state.served.redirects -= 1;
  const { type } = item;
  if (type === "BASIC" || type === "BASIC_HOST") removeExact(state.redirects[type], item.source, item, owner);
  else state.trees[type] = removeRule(state.trees[type], createRegexRule(item, prefixOf(state, item)), owner);
}

function serveRedirect(state: RuleSetState, item: RedirectItem, owner: object): Problem[] {
  const { problems, pattern } = examineRedirect(item, state.patternSize);
  const found = toServedProblems(problems, item.id);
  if (problems.some(isBlocking)) return found;
  const { type } = item;
  state.served.redirects += 1;
  if (type === "BASIC" || type === "BASIC_HOST") addExact(state.redirects[type], item.source, item, owner);
  else if (pattern !== undefined) {
    const prefix = state.compat === "flecto" ? readFlectoPrefix(item.source).found : findPrefix(pattern.root);
    state.trees[type] = insertRule(state.trees[type], createRegexRule(item, prefix), owner);
  }
  return found;
}

function servePage(state: RuleSetState, item: PageItem, owner: object): Problem[] {
  const problems = checkPage(item, { largestBytes: Number.POSITIVE_INFINITY });
  if (!problems.some(isBlocking)) {
    state.served.pages += 1;
    addExact(state.pages[item.type], item.path, item, owner);
  }
  return toServedProblems(problems, item.id);
}

function toServedProblems(problems: readonly Problem[], itemId: number): Problem[] {
  return problems.map((problem) => ({
    ...problem,
    severity: isBlocking(problem) ? "error" : "warning",
    itemId,
  }));
}

function prefixOf(state: RuleSetState, item: RedirectItem): string {
  if (state.compat === "flecto") return readFlectoPrefix(item.source).found;
  const { pattern } = examineRedirect(item, state.patternSize);
  return pattern === undefined ? "" : findPrefix(pattern.root);
}

function addExact<Kind extends Item>(map: Exact<Kind>, key: string, item: Kind, owner: object): void {
  const there = getFrom(map, key);
  const all = there === undefined ? item : [...listOf(there), item].sort((a, b) => a.id - b.id);
  setIn(map, key, all, owner);
}

function removeExact<Kind extends Item>(map: Exact<Kind>, key: string, item: Kind, owner: object): void {
  const there = getFrom(map, key);
  const rest = there === undefined ? [] : listOf(there).filter(({ id }) => id !== item.id);
  setIn(map, key, rest.length > 1 ? rest : rest[0], owner);
}

function listOf<Kind extends Item>(value: Kind | readonly Kind[]): readonly Kind[] {
  return Array.isArray(value) ? value : [value as Kind];
}
