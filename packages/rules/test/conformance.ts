import type { Item, Page, Redirect } from "@posthouse/protocol";
import { compileRules, type Match, type RuleSetOptions } from "@posthouse/rules";

/** A case of the Flecto vector file. Cases of other levels than `match` are run elsewhere. */
export interface VectorCase {
  readonly name: string;
  readonly level: string;
  readonly redirects: readonly Redirect[];
  readonly pages: readonly Page[];
  readonly request: { readonly host: string; readonly uri: string };
  readonly expect: Expectation;
  readonly expect_plain_regex?: Expectation;
  readonly divergence?: string;
}

type Expectation =
  | null
  | {
      readonly kind: "redirect";
      readonly redirect_index: number;
      readonly target: string;
      readonly status: number;
    }
  | {
      readonly kind: "page";
      readonly page_index: number;
      readonly status: number;
      readonly content_type: string;
      readonly body: string;
    }
  | { readonly kind: "load_error"; readonly redirect_index: number; readonly go_error: string };

export interface VectorResult {
  readonly passed: number;
  readonly failures: readonly string[];
  /** Cases of levels that need more than the matcher. */
  readonly notRunHere: number;
}

/** Go's sort keeps the order of equal rules up to this many candidates; above, the older rule is the better answer. */
const stableCandidates = 12;

/** Runs every `match` case twice, as Flecto matches and as Posthouse does; a case passes when both hold. */
export function runVectors(cases: readonly VectorCase[]): VectorResult {
  const failures: string[] = [];
  let passed = 0;
  let notRunHere = 0;
  for (const vector of cases) {
    if (vector.level !== "match") {
      notRunHere += 1;
      continue;
    }
    const flecto = compare(vector, expectedOfFlecto(vector), { compat: "flecto" });
    const own = compare(vector, expectedOfPosthouse(vector), {});
    if (flecto === undefined && own === undefined) passed += 1;
    else failures.push(`${vector.name}: ${[flecto, own].filter((text) => text !== undefined).join("; ")}`);
  }
  return { passed, failures, notRunHere };
}

function expectedOfFlecto(vector: VectorCase): Expectation {
  const isUnstable = vector.divergence === "tie-order" && vector.redirects.length > stableCandidates;
  return isUnstable ? plain(vector) : vector.expect;
}

/** What the patterns alone would do, but one that starts with literal text is tried at the start only. */
function expectedOfPosthouse(vector: VectorCase): Expectation {
  if (vector.divergence !== "go-prefix-index") return plain(vector);
  const answer = plain(vector);
  const index = answer?.kind === "redirect" ? answer.redirect_index : 0;
  const rule = vector.redirects[index];
  if (rule === undefined || rule.source.startsWith("^")) return answer;
  const text = rule.type === "REGEX_HOST" ? vector.request.host + vector.request.uri : vector.request.uri;
  return text.startsWith(literalStart(rule.source)) ? answer : vector.expect;
}

function plain(vector: VectorCase): Expectation {
  return vector.expect_plain_regex === undefined ? vector.expect : vector.expect_plain_regex;
}

/** The characters before the first that means something, without one that a repeat takes; none when `|` is there. */
function literalStart(pattern: string): string {
  const start = /^(?:[^\\^$.|?*+()[\]{}]|\\[^A-Za-z0-9])*/.exec(pattern)?.[0] ?? "";
  if (pattern.includes("|")) return "";
  const isRepeated = /^[?*+{]/.test(pattern.slice(start.length));
  const whole = isRepeated ? start.replace(/\\?.$/su, "") : start;
  return whole.replace(/\\(.)/gsu, "$1");
}

function compare(vector: VectorCase, expected: Expectation, options: RuleSetOptions): string | undefined {
  const redirects = vector.redirects.map(
    (redirect, index): Item => ({ id: index + 1, kind: "redirect", ...redirect }),
  );
  const pages = vector.pages.map(
    (page, index): Item => ({ id: redirects.length + index + 1, kind: "page", ...page }),
  );
  const ruleSet = compileRules([...redirects, ...pages], options);
  const mode = options.compat ?? "default";
  if (expected?.kind === "load_error") {
    const isRefused = ruleSet.problems.some(
      ({ itemId, severity }) => severity === "error" && itemId === expected.redirect_index + 1,
    );
    return isRefused ? undefined : `${mode}: rule ${expected.redirect_index} was not refused`;
  }
  const found = describe(ruleSet.match(vector.request.host, vector.request.uri), redirects.length);
  return found === describeExpected(expected)
    ? undefined
    : `${mode}: ${found}, not ${describeExpected(expected)}`;
}

function describe(match: Match | undefined, redirects: number): string {
  if (match === undefined) return "nothing";
  if (match.kind === "redirect") return `redirect ${match.item.id - 1} ${match.status} ${match.target}`;
  return `page ${match.item.id - redirects - 1} ${match.status} ${match.contentType} ${match.content}`;
}

function describeExpected(expected: Expectation): string {
  if (expected?.kind === "redirect")
    return `redirect ${expected.redirect_index} ${expected.status} ${expected.target}`;
  if (expected?.kind === "page") {
    return `page ${expected.page_index} ${expected.status} ${expected.content_type} ${expected.body}`;
  }
  return "nothing";
}
