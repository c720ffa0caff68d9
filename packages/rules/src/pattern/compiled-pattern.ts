import { RE2JS } from "re2js";
import { isLinearForBacktracking } from "./backtracking.ts";
import { formatJavaScriptPattern } from "./javascript-source.ts";
import { type Pattern, parsePattern } from "./pattern-parser.ts";

export type Captures = readonly (string | undefined)[];

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

/** Compiles a pattern for V8; the caller has proven it. The proof holds for text without newlines only. */
export function createForJavaScript(pattern: Pattern): CompiledPattern {
  const regex = new RegExp(formatJavaScriptPattern(pattern.root), "u");
  return {
    engine: "javascript",
    exec(text) {
      if (text.includes("\n")) return createForRe2(parsePattern(pattern.source)).exec(text);
      return regex.exec(text) ?? undefined;
    },
  };
}
