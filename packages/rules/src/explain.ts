import type { Item } from "@posthouse/protocol";
import type { Match, RuleSet } from "./rule-set.ts";
import { compileRules } from "./rule-set-builder.ts";
import { compatOf } from "./rule-set-matcher.ts";

export type NearReason = "OUTRANKED" | "LEFT_OUT" | "OTHER_HOST" | "TRAILING_SLASH" | "CASE" | "QUERY";

/** A rule or page that did not answer, but nearly did. `message` says why not. */
export interface NearMatch {
  readonly item: Item;
  readonly reasons: readonly NearReason[];
  readonly message: string;
}

export interface Explanation {
  readonly match: Match | undefined;
  /** At most 20, in id order. */
  readonly near: readonly NearMatch[];
}

const mostNear = 20;
const mostPatterns = 2000;

const texts: Readonly<Record<NearReason, string>> = {
  OUTRANKED: "It matches too, but another rule comes first.",
  LEFT_OUT: "It is left out, because it has an error.",
  OTHER_HOST: "It is for another host.",
  TRAILING_SLASH: "It differs in the slash at the end.",
  CASE: "It differs in upper and lower case.",
  QUERY: "It differs in the query, which is part of what is compared.",
};

interface ExplainRequest {
  readonly host: string;
  readonly uri: string;
}

/** Says which rule answers a request, and which nearly did. Reads every rule, so it is not for the request path. */
export function explain(ruleSet: RuleSet, request: ExplainRequest): Explanation {
  const steps = explainInSteps(ruleSet, request);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same, a rule at a time, for who must let others have their turn in between. */
export function* explainInSteps(
  ruleSet: RuleSet,
  request: ExplainRequest,
): Generator<undefined, Explanation, undefined> {
  const match = ruleSet.match(request.host, request.uri);
  const refused = new Set(
    ruleSet.problems.filter(({ severity }) => severity === "error").map(({ itemId }) => itemId),
  );
  const near: NearMatch[] = [];
  let patterns = 0;
  for (const item of ruleSet.items()) {
    yield;
    if (near.length >= mostNear) break;
    if (item.id === match?.item.id) continue;
    const isPattern = item.kind === "redirect" && item.type.startsWith("REGEX");
    if (isPattern) patterns += 1;
    if (isPattern && patterns > mostPatterns) continue;
    const found = isPattern ? nearPattern(ruleSet, item, request) : nearExact(item, request);
    if (found === undefined) continue;
    const reasons = refused.has(item.id) ? [...found, "LEFT_OUT" as const] : found;
    const told = reasons.length === 0 ? (["OUTRANKED"] as const) : reasons;
    near.push({ item, reasons: told, message: told.map((reason) => texts[reason]).join(" ") });
  }
  return { match, near };
}

/** `undefined`: not near; an empty list: it matches. */
function nearExact(item: Item, { host, uri }: { host: string; uri: string }): NearReason[] | undefined {
  const source = item.kind === "redirect" ? item.source : item.path;
  const withHost = item.type === "BASIC_HOST";
  const slash = withHost ? source.indexOf("/") : 0;
  const path = slash < 0 ? "" : source.slice(slash);
  if (looseKey(path) !== looseKey(uri)) return undefined;
  const reasons: NearReason[] = [];
  const differs = (by: (text: string) => string): boolean => by(path) !== by(uri);
  if (withHost && source.slice(0, slash) !== host) reasons.push("OTHER_HOST");
  if (differs((text) => text.slice(pathEnd(text)))) reasons.push("QUERY");
  if (differs((text) => String(text.slice(0, pathEnd(text)).endsWith("/")))) reasons.push("TRAILING_SLASH");
  if (differs(bare)) reasons.push("CASE");
  return reasons;
}

/** Tries a pattern on the request with one thing changed. */
function nearPattern(
  ruleSet: RuleSet,
  item: Item,
  { host, uri }: { host: string; uri: string },
): NearReason[] | undefined {
  const alone = compileRules([item], { compat: compatOf(ruleSet) });
  const end = pathEnd(uri);
  const path = uri.slice(0, end);
  const slashed = path.endsWith("/") ? path.slice(0, -1) : `${path}/`;
  const tries: readonly [NearReason[], string, string][] = [
    [[], host, uri],
    [["QUERY"], host, path],
    [["TRAILING_SLASH"], host, slashed + uri.slice(end)],
    [["CASE"], host.toLowerCase(), uri.toLowerCase()],
    [["OTHER_HOST"], host.replace(/:\d+$/, ""), uri],
    [["OTHER_HOST"], host.startsWith("www.") ? host.slice(4) : `www.${host}`, uri],
  ];
  return tries.find(([, name, text]) => alone.match(name, text) !== undefined)?.[0];
}

function pathEnd(text: string): number {
  const mark = text.indexOf("?");
  return mark < 0 ? text.length : mark;
}

function bare(text: string): string {
  const path = text.slice(0, pathEnd(text));
  return path.endsWith("/") ? path.slice(0, -1) : path;
}

function looseKey(text: string): string {
  return bare(text).toLowerCase();
}
