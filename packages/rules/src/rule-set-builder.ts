import {
  type Item,
  type PageItem,
  pageContentTypes,
  type RedirectItem,
  redirectStatuses,
} from "@posthouse/protocol";
import { RE2JS } from "re2js";
import { utf8Length } from "./bytes.ts";
import { checkPage } from "./page-check.ts";
import { isBlocking, type Problem } from "./problem.ts";
import { checkRedirect } from "./redirect-check.ts";
import type { Match, RuleSet, RuleSetBuilder, RuleSetOptions } from "./rule-set.ts";
import { substitute } from "./substitution.ts";

/** Makes a builder. With `base` its items are there already; `base` stays as it is. */
export function createRuleSetBuilder(options: RuleSetOptions = {}, base?: RuleSet): RuleSetBuilder {
  const items = new Map<number, Item>();
  for (const item of base?.items() ?? []) items.set(item.id, item);
  return {
    put: (item) => void items.set(item.id, item),
    delete: (id) => void items.delete(id),
    build: () =>
      createRuleSet(
        [...items.values()].sort((a, b) => a.id - b.id),
        options,
      ),
  };
}

/** Compiles items in one go. */
export function compileRules(items: Iterable<Item>, options: RuleSetOptions = {}): RuleSet {
  const builder = createRuleSetBuilder(options);
  for (const item of items) builder.put(item);
  return builder.build();
}

function createRuleSet(items: readonly Item[], _options: RuleSetOptions): RuleSet {
  const problems: Problem[] = [];
  const served = items.filter((item) => {
    const found = item.kind === "redirect" ? checkRedirect(item) : checkPage(item);
    const blocked = found.some(isBlocking);
    for (const problem of found) {
      problems.push({ ...problem, itemId: item.id, severity: isBlocking(problem) ? "error" : "warning" });
    }
    return !blocked;
  });
  const redirects = served.filter((item) => item.kind === "redirect");
  const pages = served.filter((item) => item.kind === "page");
  const exact = new Map<string, RedirectItem>();
  const exactPages = new Map<string, PageItem>();
  for (const item of redirects) exact.set(`${item.type} ${item.source}`, item);
  for (const item of pages) exactPages.set(`${item.type} ${item.path}`, item);
  const regexes = redirects
    .filter(({ type }) => type === "REGEX" || type === "REGEX_HOST")
    .map((item) => ({ item, regex: RE2JS.compile(item.source), length: utf8Length(item.source) }))
    .sort((a, b) => b.length - a.length || a.item.id - b.item.id);
  const answer = (item: RedirectItem, target: string): Match => ({
    kind: "redirect",
    item,
    status: redirectStatuses[item.status] ?? 302,
    target,
  });
  return {
    redirects: redirects.length,
    pages: pages.length,
    problems,
    counters: { uriTooLong: 0, regexTimeouts: 0, targetsRefused: 0 },
    items: () => items.values(),
    get: (id) => items.find((item) => item.id === id),
    match(host, uri) {
      const found = exact.get(`BASIC_HOST ${host}${uri}`) ?? exact.get(`BASIC ${uri}`);
      if (found !== undefined) return answer(found, found.target);
      for (const type of ["REGEX_HOST", "REGEX"]) {
        const text = type === "REGEX" ? uri : host + uri;
        for (const { item, regex } of regexes) {
          const captures = item.type === type ? regex.exec(text) : null;
          const target = captures === null ? undefined : substitute(item.target, captures);
          if (target !== undefined) return answer(item, target);
        }
      }
      const page = exactPages.get(`BASIC_HOST ${host}${uri}`) ?? exactPages.get(`BASIC ${uri}`);
      if (page === undefined) return undefined;
      const contentType = pageContentTypes[page.contentType] ?? "text/plain";
      return { kind: "page", item: page, status: 200, contentType, content: page.content };
    },
  };
}
