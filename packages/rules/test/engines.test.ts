import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isLinearForBacktracking } from "../src/pattern/backtracking.ts";
import { createForJavaScript, createForRe2 } from "../src/pattern/compiled-pattern.ts";
import { parsePattern } from "../src/pattern/pattern-parser.ts";

const atom = fc.constantFrom(
  ...[
    "a",
    "b",
    "/",
    "k",
    "ab",
    "\\.",
    ".",
    "[a-c]",
    "[^/]",
    "[^a?]",
    "\\d",
    "\\w",
    "\\s",
    "[[:alpha:]]",
    "é",
    "\\x{e9}",
  ],
  ...[
    "\\b",
    "\\B",
    "(?i:k)",
    "(?i:s)",
    "[aA]",
    "(?i:[a-z])",
    "^",
    "$",
    "\\z",
    "(?s:.)",
    "(?i)a",
    "😀",
    "[^\\x{ff}]",
  ],
);
const repeat = fc.constantFrom("", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{2,}?", "{0}");
const { pattern } = fc.letrec<{ pattern: string; sequence: string; item: string }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc
      .tuple(atom, repeat)
      .map(([text, count]) => (/^(\\[bBz]|[\^$])$/.test(text) ? text : `${text}${count}`)),
    fc
      .tuple(tie("pattern"), fc.constantFrom("(", "(?:", "(?P<n>"), repeat)
      .map(([text, open, count]) => `${open}${text})${count}`),
  ),
  sequence: fc.array(tie("item"), { maxLength: 5 }).map((items) => items.join("")),
  pattern: fc.array(tie("sequence"), { minLength: 1, maxLength: 3 }).map((branches) => branches.join("|")),
}));
const text = fc
  .array(fc.constantFrom(..."aabbcc//..??kKsSAé1 -_xK\u017f😀\u00ff\n".split(/(?:)/u)), { maxLength: 12 })
  .map((characters) => characters.join(""));

describe("the two engines", () => {
  it("give the same captures wherever V8 is used", () => {
    let proven = 0;
    fc.assert(
      fc.property(pattern, fc.array(text, { minLength: 4, maxLength: 4 }), (source, texts) => {
        const parsed = parsePattern(source);
        if (!isLinearForBacktracking(parsed.root)) return;
        proven += 1;
        const fast = createForJavaScript(parsed);
        const exact = createForRe2(parsed);
        for (const input of texts) {
          expect(filled(fast.exec(input))).toEqual(filled(exact.exec(input)));
        }
      }),
      { numRuns: Number(process.env.RUNS ?? 6000) },
    );
    expect(proven).toBeGreaterThan(300);
  });
});

describe("characters of two units", () => {
  it.each(["[^a]$", ".$", "(?s:.)\\z", "[^/]{2}$"])("are found by %s", (source) => {
    const pattern = parsePattern(source);
    expect(createForJavaScript(pattern).exec("a😀")).toEqual(createForRe2(pattern).exec("a😀"));
  });
});

/** A group that took no part is as good as one that took no text: both are filled in as nothing. */
function filled(captures: readonly (string | undefined)[] | undefined): string[] | undefined {
  return captures === undefined ? undefined : Array.from(captures, (capture) => capture ?? "");
}
