import type { Item } from "@posthouse/protocol";
import { compileRules, type Match, type RuleSet } from "@posthouse/rules";
import { literalStart } from "./literal-start.ts";
import { difference, type Found, type Vector } from "./vector.ts";

/** Go's sort keeps the order of equal rules up to this many candidates; above, both of ours keep the older first. */
const stableCandidates = 12;

/** Both ways of matching must find what is expected of them. */
export function checkMatch(vector: Vector): string | undefined {
  const flecto = expectedOfFlecto(vector);
  const own = expectedOfOurs(vector);
  return (
    difference("with compat: flecto", flecto, find(vector, "flecto", flecto)) ??
    difference("without compat", own, find(vector, undefined, own))
  );
}

const plain = (vector: Vector): Found =>
  vector.expect_plain_regex === undefined ? vector.expect : vector.expect_plain_regex;

function expectedOfFlecto(vector: Vector): Found {
  const isUnstable = vector.divergence === "tie-order" && vector.redirects.length > stableCandidates;
  return isUnstable ? plain(vector) : vector.expect;
}

/**
 * What the patterns alone say; but a pattern without a leading `^` that begins with literal text counts from the start
 * of the URI, so there the answer without a match stands.
 */
function expectedOfOurs(vector: Vector): Found {
  const found = plain(vector);
  if (vector.divergence !== "go-prefix-index" || found?.kind !== "redirect") return found;
  const rule = vector.redirects[Number(found.redirect_index)];
  if (rule?.source === undefined || rule.source.startsWith("^")) return found;
  const { host, uri } = vector.request;
  const text = rule.type === "REGEX_HOST" ? host + uri : uri;
  return text.startsWith(literalStart(rule.source)) ? found : vector.expect;
}

function find(vector: Vector, compat: "flecto" | undefined, expected: Found): Found {
  const ruleSet = compile(vector, compat);
  if (expected?.kind === "load_error") {
    const item = Number(expected.redirect_index) + 1;
    const refused = ruleSet.problems.find(({ severity, itemId }) => severity === "error" && itemId === item);
    if (refused?.code) return { kind: "load_error", redirect_index: expected.redirect_index };
  }
  const match = ruleSet.match(vector.request.host, vector.request.uri);
  return match === undefined ? null : describe(match, vector.redirects.length);
}

/** Cases also hold rules that a Manager would refuse, hence no check. */
function compile({ redirects, pages }: Vector, compat: "flecto" | undefined): RuleSet {
  const items = [
    ...redirects.map((fields) => ({ ...fields, kind: "redirect" })),
    ...pages.map((fields) => ({ ...fields, kind: "page" })),
  ].map((fields, index) => ({ ...fields, id: index + 1 }));
  return compileRules(items as unknown as Item[], { compat });
}

function describe(match: Match, redirects: number): Found {
  const { kind, status } = match;
  if (match.kind === "redirect") {
    return { kind, redirect_index: match.item.id - 1, status, target: match.target };
  }
  const page_index = match.item.id - redirects - 1;
  return { kind, page_index, status, content_type: match.contentType, body: match.content };
}
