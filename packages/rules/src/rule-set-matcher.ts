import { type PageItem, pageContentTypes, type RedirectItem, redirectStatuses } from "@posthouse/protocol";
import { getItem, listItems, listProblems } from "./item-table.ts";
import type { Problem } from "./problem.ts";
import type { Match, RuleSet } from "./rule-set.ts";
import { findExact, type RuleSetState } from "./rule-set-state.ts";

const states = new WeakMap<RuleSet, RuleSetState>();

/** What a RuleSet was made of, when it was made here. */
export function stateOf(ruleSet: RuleSet): RuleSetState | undefined {
  return states.get(ruleSet);
}

/** The mode a RuleSet matches in. */
export function compatOf(ruleSet: RuleSet): "flecto" | undefined {
  return states.get(ruleSet)?.compat;
}

/** Exact redirects with a host, then without; patterns with a host, then without; pages with a host, then without. */
export function createRuleSet(state: RuleSetState): RuleSet {
  const { redirects, pages, stage } = state;
  const trees = { withHost: state.trees.REGEX_HOST, pathOnly: state.trees.REGEX };
  let problems: readonly Problem[] | undefined;

  function match(host: string, uri: string): Match | undefined {
    const exact =
      findExact(state, redirects.BASIC_HOST, host, uri) ?? findExact(state, redirects.BASIC, "", uri);
    if (exact?.kind === "redirect") return toRedirect(exact, exact.target);
    const hit = stage.match(trees, host, uri);
    const item = hit === undefined ? undefined : getItem(state.items, hit.id);
    if (hit !== undefined && item?.kind === "redirect") return toRedirect(item, hit.target);
    const page = findExact(state, pages.BASIC_HOST, host, uri) ?? findExact(state, pages.BASIC, "", uri);
    return page?.kind === "page" ? toPage(page) : undefined;
  }

  const ruleSet: RuleSet = {
    redirects: state.served.redirects,
    pages: state.served.pages,
    get problems() {
      problems ??= listProblems(state.items);
      return problems;
    },
    counters: stage.counters,
    match,
    items: () => listItems(state.items),
    get: (id) => getItem(state.items, id),
  };
  states.set(ruleSet, state);
  return ruleSet;
}

function toRedirect(item: RedirectItem, target: string): Match {
  return { kind: "redirect", item, status: redirectStatuses[item.status] ?? 302, target };
}

function toPage(item: PageItem): Match {
  const contentType = pageContentTypes[item.contentType] ?? "text/plain";
  return { kind: "page", item, status: 200, contentType, content: item.content };
}
