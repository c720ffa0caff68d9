import { RE2JS } from "re2js";
import { isLinearForBacktracking } from "./backtracking.ts";
import { formatJavaScriptPattern } from "./javascript-source.ts";
import type { PatternNode } from "./node.ts";
import { type Pattern, parsePattern } from "./pattern-parser.ts";

type Captures = readonly (string | undefined)[];

/** A pattern ready to run. `captures` has the whole match at 0. */
export interface CompiledPattern {
  readonly engine: "javascript" | "re2";
  exec(text: string): Captures | undefined;
}

/** Compiles a pattern for the fastest engine that is proven to give RE2's answer in linear time. */
export function compilePattern(source: string): CompiledPattern {
  const pattern = parsePattern(source);
  return isLinearForBacktracking(pattern.root) ? createForJavaScript(pattern) : createForRe2(pattern);
}

/** Compiles a pattern for re2js, whatever it holds. Throws when re2js cannot. */
export function createForRe2(pattern: Pattern): CompiledPattern {
  const program = RE2JS.compile(pattern.unnamed);
  return { engine: "re2", exec: (text) => program.exec(text) ?? undefined };
}

/**
 * Compiles a pattern for V8; the caller has proven it, for text without newlines. Nor is V8 asked about characters of
 * two units: it does not find `/[^a]$/u` in one. Text that a pattern starts with is compared apart, because what
 * follows is often the same in many rules, and shared then.
 */
export function createForJavaScript(pattern: Pattern): CompiledPattern {
  const { source, root } = pattern;
  const { start, rest } = splitStart(root);
  const regex =
    start === "" ? new RegExp(formatJavaScriptPattern(rest), "u") : tailOf(formatJavaScriptPattern(rest));
  return {
    engine: "javascript",
    exec(text) {
      if (!text.startsWith(start)) return undefined;
      if (unproven.test(text)) return exactly(source).exec(text);
      regex.lastIndex = start.length;
      const captures = regex.exec(text);
      if (captures === null) return undefined;
      if (start !== "") captures[0] = start + captures[0];
      return captures;
    },
  };
}

const unproven = /[\n\ud800-\udfff]/;
const mostExact = 200;
const exact = new Map<string, CompiledPattern>();

/** For re2js; a few are kept, since hardly a request needs them. */
function exactly(source: string): CompiledPattern {
  const known = exact.get(source);
  if (known !== undefined) return known;
  const pattern = createForRe2(parsePattern(source));
  if (exact.size >= mostExact) exact.clear();
  exact.set(source, pattern);
  return pattern;
}

function splitStart(root: PatternNode): { start: string; rest: PatternNode } {
  if (root.op !== "concat") return { start: "", rest: root };
  const [anchor, literal, ...rest] = root.subs;
  if (anchor?.op !== "assert" || anchor.kind !== "textStart") return { start: "", rest: root };
  if (literal?.op !== "literal" || literal.fold) return { start: "", rest: root };
  return { start: String.fromCodePoint(...literal.points), rest: { op: "concat", subs: rest } };
}

const mostTails = 5000;
const tails = new Map<string, RegExp>();

function tailOf(source: string): RegExp {
  const known = tails.get(source);
  if (known !== undefined) return known;
  const regex = new RegExp(source, "uy");
  if (tails.size >= mostTails) tails.clear();
  tails.set(source, regex);
  return regex;
}
