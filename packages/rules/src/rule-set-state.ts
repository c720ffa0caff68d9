import type { Item, PageItem, RedirectItem } from "@posthouse/protocol";
import { addId, createIdIndex, findId, type IdIndex, removeId, shareIdIndex } from "./id-index.ts";
import { deleteItem, getItem, getProblems, type ItemTable, isNamed, putItem } from "./item-table.ts";
import { checkPage } from "./page-check.ts";
import { findPrefix } from "./pattern/prefix.ts";
import { readFlectoPrefix } from "./pattern-check.ts";
import { createPrefixTree, insertRule, type PrefixNode, removeRule } from "./prefix-tree.ts";
import { isBlocking, type Problem } from "./problem.ts";
import { examineRedirect } from "./redirect-check.ts";
import { createRegexRule } from "./regex-rule.ts";
import { createRegexStage, type RegexStage } from "./regex-stage.ts";
import type { RuleSetOptions } from "./rule-set.ts";
import { hashOn, mixHash, noText } from "./text-hash.ts";

/** Items that are compared as they are, by the hash of what they are compared with. Of equal ones the last answers. */
interface ExactIndexes {
  readonly BASIC: IdIndex;
  readonly BASIC_HOST: IdIndex;
}

/**
 * What a RuleSet is made of. Parts carry the owner that made them; a builder changes its own parts in place and copies
 * all others, so a state is never changed once it is shared.
 */
export interface RuleSetState {
  readonly compat: RuleSetOptions["compat"];
  readonly patternSize: number | undefined;
  readonly stage: RegexStage;
  readonly items: ItemTable;
  readonly redirects: ExactIndexes;
  readonly pages: ExactIndexes;
  readonly trees: { REGEX: PrefixNode; REGEX_HOST: PrefixNode };
  readonly served: { redirects: number; pages: number };
}

export function createState(options: RuleSetOptions): RuleSetState {
  return {
    compat: options.compat,
    patternSize: options.patternSize,
    stage: createRegexStage(options),
    items: new Map(),
    redirects: { BASIC: createIdIndex(), BASIC_HOST: createIdIndex() },
    pages: { BASIC: createIdIndex(), BASIC_HOST: createIdIndex() },
    trees: { REGEX: createPrefixTree({}), REGEX_HOST: createPrefixTree({}) },
    served: { redirects: 0, pages: 0 },
  };
}

/** A state that shares every part. */
export function shareState(state: RuleSetState): RuleSetState {
  return {
    ...state,
    items: new Map(state.items),
    redirects: shareIndexes(state.redirects),
    pages: shareIndexes(state.pages),
    trees: { ...state.trees },
    served: { ...state.served },
  };
}

function shareIndexes({ BASIC, BASIC_HOST }: ExactIndexes): ExactIndexes {
  return { BASIC: shareIdIndex(BASIC), BASIC_HOST: shareIdIndex(BASIC_HOST) };
}

/** The item that answers for `host` + `uri`, in one of the state's indexes. */
export function findExact(
  { items }: RuleSetState,
  index: IdIndex,
  host: string,
  uri: string,
): Item | undefined {
  if (index.size === 0) return undefined;
  const hash = mixHash(hashOn(host === "" ? noText : hashOn(noText, host), uri));
  const id = findId(index, hash, (candidate) => isNamed(items, candidate, host, uri));
  return id === 0 ? undefined : getItem(items, id);
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
    removeId(state.pages[item.type], hashOf(item.path), id, owner);
    return;
  }
  state.served.redirects -= 1;
  const { type } = item;
  if (type === "BASIC" || type === "BASIC_HOST") {
    removeId(state.redirects[type], hashOf(item.source), id, owner);
  } else
    state.trees[type] = removeRule(state.trees[type], createRegexRule(item, prefixOf(state, item)), owner);
}

function serveRedirect(state: RuleSetState, item: RedirectItem, owner: object): readonly Problem[] {
  const { problems, pattern } = examineRedirect(item, state.patternSize);
  if (problems.some(isBlocking)) return toServedProblems(problems, item.id);
  const { type } = item;
  state.served.redirects += 1;
  if (type === "BASIC" || type === "BASIC_HOST") {
    addId(state.redirects[type], hashOf(item.source), item.id, owner);
  } else if (pattern !== undefined) {
    const prefix = state.compat === "flecto" ? readFlectoPrefix(item.source).found : findPrefix(pattern.root);
    state.trees[type] = insertRule(state.trees[type], createRegexRule(item, prefix), owner);
  }
  return toServedProblems(problems, item.id);
}

function servePage(state: RuleSetState, item: PageItem, owner: object): readonly Problem[] {
  const problems = checkPage(item, { largestBytes: Number.POSITIVE_INFINITY });
  if (!problems.some(isBlocking)) {
    state.served.pages += 1;
    addId(state.pages[item.type], hashOf(item.path), item.id, owner);
  }
  return toServedProblems(problems, item.id);
}

function toServedProblems(problems: readonly Problem[], itemId: number): readonly Problem[] {
  if (problems.length === 0) return problems;
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

function hashOf(text: string): number {
  return mixHash(hashOn(noText, text));
}
