/**
 * Patterns of .NET (4.3) on the engines of `@posthouse/rules`, which run in linear time. A pattern is read when it
 * arrives, and compiled when it is first asked. It has two programs:
 *  - for ASCII, the usual text: sets are cut down to ASCII, so that a fast engine often fits;
 *  - for all other text, and for `$` before a final newline: written in an alphabet of its own (`alphabet.ts`).
 */
import { compilePattern } from "@posthouse/rules";
import type { FlagCounters } from "../context.ts";
import { isAscii } from "../text.ts";
import { createAlphabet } from "./alphabet.ts";
import { unsupported } from "./cursor.ts";
import { collect, type PatternNode, PatternProblem, sizeOf } from "./node.ts";
import { parsePattern } from "./pattern-parser.ts";
import { formatPattern, formatRanges } from "./re2-source.ts";
import type { UnitSet } from "./unit-set.ts";

export { PatternProblem };

type Program = (text: string) => boolean;

const largestProgram = 1000;
/** Steps of the program times units of the text: some 30 ms. */
const mostWork = 1_000_000;

/**
 * Reads a pattern. What it gives tells whether a text holds a match, as Regex.IsMatch does; undefined when that could
 * not be found out, which is counted. Throws PatternProblem.
 */
export function compileDotnetPattern(
  source: string,
  counters: FlagCounters,
): (text: string) => boolean | undefined {
  const root = parsePattern(source);
  const size = sizeOf(root);
  if (size > largestProgram) {
    throw new PatternProblem(
      "PATTERN_TOO_COSTLY",
      `its program has ${size} steps, ${largestProgram} are allowed`,
      0,
    );
  }
  const { asserts } = collect(root);
  const hasFinalEnd = asserts.has("finalEnd");
  if (hasFinalEnd && (asserts.has("lineStart") || asserts.has("lineEnd"))) {
    throw unsupported("the ends of lines and of the text at once", 0);
  }
  let forAscii: Program | undefined;
  let forOthers: Program | undefined;
  return (text) => {
    if (text.length * size > mostWork) {
      counters.valuesTooLong += 1;
      return undefined;
    }
    try {
      if (isAscii(text) && !(hasFinalEnd && text.endsWith("\n"))) {
        forAscii ??= compileForAscii(root);
        return forAscii(text);
      }
      forOthers ??= compileForOthers(root);
      return forOthers(text);
    } catch {
      counters.patternsFailed += 1;
      return undefined;
    }
  };
}

function compileForAscii(root: PatternNode): Program {
  const source = formatPattern(root, { finalEnd: "\\z", set: (set) => formatRanges(cutToAscii(set)) });
  const pattern = compilePattern(source);
  return (text) => pattern.exec(text) !== undefined;
}

/** A set without ASCII becomes a character that no text has. */
function cutToAscii(set: UnitSet): readonly number[] {
  const ranges: number[] = [];
  for (let at = 0; at < set.length && (set[at] as number) < 0x80; at += 2) {
    ranges.push(set[at] as number, Math.min(set[at + 1] as number, 0x7f));
  }
  return ranges.length === 0 ? [0xe000, 0xe000] : ranges;
}

function compileForOthers(root: PatternNode): Program {
  const { sets, asserts } = collect(root);
  const alphabet = createAlphabet(sets, {
    hasWords: asserts.has("word") || asserts.has("notWord"),
    hasFinalEnd: asserts.has("finalEnd"),
  });
  if (alphabet === undefined) throw new Error("the pattern tells too many characters apart");
  const pattern = compilePattern(formatPattern(root, alphabet.dialect));
  return (text) => pattern.exec(alphabet.rewrite(text)) !== undefined;
}
