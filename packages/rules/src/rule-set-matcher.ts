import { type PageItem, pageContentTypes, type RedirectItem, redirectStatuses } from "@posthouse/protocol";
import { getItem, listItems, listProblems } from "./item-table.ts";
import type { Problem } from "./problem.ts";
import type { Match, RuleSet } from "./rule-set.ts";
import type { Exact, RuleSetState } from "./rule-set-state.ts";
import { getFrom } from "./sharded-map.ts";

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
    const exact = lookUp(redirects.BASIC_HOST, host, uri) ?? lookUp(redirects.BASIC, "", uri);
    if (exact !== undefined) return toRedirect(exact, exact.target);
    const hit = stage.match(trees, host, uri);
    if (hit !== undefined) return toRedirect(hit.item, hit.target);
    const page = lookUp(pages.BASIC_HOST, host, uri) ?? lookUp(pages.BASIC, "", uri);
    return page === undefined ? undefined : toPage(page);
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

function lookUp<Kind extends object>(map: Exact<Kind>, host: string, uri: string): Kind | undefined {
  if (map.size === 0) return undefined;
  const found = getFrom(map, host === "" ? uri : host + uri);
  return Array.isArray(found) ? found.at(-1) : (found as Kind | undefined);
}

function toRedirect(item: RedirectItem, target: string): Match {
  return { kind: "redirect", item, status: redirectStatuses[item.status] ?? 302, target };
}

function toPage(item: PageItem): Match {
  const contentType = pageContentTypes[item.contentType] ?? "text/plain";
  return { kind: "page", item, status: 200, contentType, content: item.content };
}
