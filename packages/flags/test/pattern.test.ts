import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCounters } from "../src/context.ts";
import { compileDotnetPattern, PatternProblem } from "../src/pattern/dotnet-pattern.ts";

const matches = (pattern: string, text: string): boolean | undefined =>
  compileDotnetPattern(pattern, createCounters())(text);

function problemOf(pattern: string): string {
  try {
    compileDotnetPattern(pattern, createCounters());
    return "none";
  } catch (error) {
    if (error instanceof PatternProblem) return `${error.code} ${error.position}`;
    throw error;
  }
}

describe("a pattern of .NET", () => {
  it.each([
    ["(?i)abc", "ABC", true],
    ["(?i)straße", "STRASSE", false],
    ["(?i)É", "é", true],
    ["(?i)k", "\u212a", true],
    ["(?i)s", "\u017f", false],
    ["a(?i)b|c", "aB", true],
    ["a(?i)b|c", "C", true],
    ["(?:(?i)a)b", "AB", false],
    ["(?i:a)b", "Ab", true],
    ["(?i)a(?-i)b", "AB", false],
    ["(?i)[^a]", "A", false],
    ["(?i)[k-m]", "\u212a", true],
    ["abc$", "abc\n", true],
    ["abc$", "abc\n\n", false],
    ["abc$", "abc\r\n", false],
    ["abc\\Z", "abc\n", true],
    ["abc\\z", "abc\n", false],
    ["^abc$", "x\nabc", false],
    ["(?m)^abc$", "x\nabc\ny", true],
    ["abc$\n", "abc\n", true],
    ["(?:a$|b)\n", "x\na\n", true],
    ["(?:a$|b)\n", "a\nx", false],
    ["a$", "é\na\n", true],
    ["a$.", "é\na\n", false],
    ["(?s)a$.", "é\na\n", true],
    ["a.b", "a\rb", true],
    ["a.b", "a\u2028b", true],
    ["a.b", "a\nb", false],
    ["(?s)a.b", "a\nb", true],
    ["^\\d$", "٣", true],
    ["^\\w+$", "été_٣", true],
    ["^\\W$", "é", false],
    ["^\\s$", "\u00a0", true],
    ["^\\s$", "\ufeff", false],
    ["^[\\d-z]+$", "3-z", true],
    ["\\bété\\b", "un été.", true],
    ["\\bété\\b", "unété", false],
    ["a\\b", "a\u200d", false],
    ["é\\Bt", "été", true],
    ["\\Aabc\\z", "abc", true],
    ["\\Gabc", "xabc", false],
    ["^..$", "😀", true],
    ["^.$", "😀", false],
    ["^😀$", "😀", true],
    ["😀", "x😀y", true],
    ["^[😀]{2}$", "😀", true],
    ["[^a]", "😀", true],
    ["\\p{Lu}", "É", true],
    ["\\P{L}", "é", false],
    ["(?i)\\p{Lu}", "a", false],
    ["a{,2}", "a{,2}", true],
    ["a{,2}", "aa", false],
    ["x{2", "x{2", true],
    ["]}", "]}", true],
    ["[]a]", "]", true],
    ["[a-]", "-", true],
    ["[\\b]", "\b", true],
    ["[--/]", ".", true],
    ["\\x41\\u0042\\103\\cA\\e", "ABC\u0001\u001b", true],
    ["\\10", "\b", true],
    ["(?x) a b # c\n c", "abc", true],
    ["(?x)a {2}", "aa", true],
    ["a(?#comment)+$", "aaa", true],
    ["(?<name>a)(?'other'b)", "ab", true],
    ["(?n)(a)", "a", true],
    ["(a|b)*?c", "abac", true],
    ["^(a{2}){2}$", "aaaa", true],
    ["", "", true],
    ["()", "x", true],
    ["a||b", "z", true],
  ])("%j on %j: %s", (pattern, text, wanted) => expect(matches(pattern, text)).toBe(wanted));

  it.each([
    ["[", "PATTERN_INVALID 0"],
    ["(", "PATTERN_INVALID 0"],
    ["a)", "PATTERN_INVALID 1"],
    ["*a", "PATTERN_INVALID 0"],
    ["a|*", "PATTERN_INVALID 2"],
    ["(?i)*", "PATTERN_INVALID 4"],
    ["a**", "PATTERN_INVALID 2"],
    ["a++", "PATTERN_INVALID 2"],
    ["a{2}{3}", "PATTERN_INVALID 4"],
    ["a{3,2}", "PATTERN_INVALID 1"],
    ["[z-a]", "PATTERN_INVALID 3"],
    ["[a-\\d]", "PATTERN_INVALID 3"],
    ["[😀-😂]", "PATTERN_INVALID 4"],
    ["\\", "PATTERN_INVALID 0"],
    ["\\y", "PATTERN_INVALID 0"],
    ["\\_", "PATTERN_INVALID 0"],
    ["\\x4", "PATTERN_INVALID 0"],
    ["\\pL", "PATTERN_INVALID 0"],
    ["\\p{Greek}", "PATTERN_INVALID 0"],
    ["(?P<n>a)", "PATTERN_INVALID 0"],
    ["(?#", "PATTERN_INVALID 0"],
    ["(?=a)", "PATTERN_UNSUPPORTED 0"],
    ["a(?!b)", "PATTERN_UNSUPPORTED 1"],
    ["(?<=a)b", "PATTERN_UNSUPPORTED 0"],
    ["(?<!a)b", "PATTERN_UNSUPPORTED 0"],
    ["(?>a+)a", "PATTERN_UNSUPPORTED 0"],
    ["(a)?(?(1)b|c)", "PATTERN_UNSUPPORTED 4"],
    ["(a)\\1", "PATTERN_UNSUPPORTED 3"],
    ["(?<n>a)\\k<n>", "PATTERN_UNSUPPORTED 7"],
    ["(a)(?<b-1>c)", "PATTERN_UNSUPPORTED 3"],
    [`${"(a)".repeat(10)}\\10`, "PATTERN_UNSUPPORTED 30"],
    ["[a-z-[aeiou]]", "PATTERN_UNSUPPORTED 4"],
    ["[a-[b]]", "PATTERN_UNSUPPORTED 2"],
    ["[\\w-[\\d]]", "PATTERN_UNSUPPORTED 3"],
    ["(?m)^a\\Z", "PATTERN_UNSUPPORTED 0"],
    ["a{1001}", "PATTERN_TOO_COSTLY 1"],
    ["((a{100}){100})", "PATTERN_TOO_COSTLY 0"],
    [`${"(".repeat(300)}${")".repeat(300)}`, "PATTERN_TOO_COSTLY 200"],
  ])("%j is %s", (pattern, problem) => expect(problemOf(pattern)).toBe(problem));

  it("is not run on a text that is too long for what it costs, which is counted", () => {
    const counters = createCounters();
    const long = compileDotnetPattern("(?:a|b|aa){1,80}$", counters);
    expect(long("b".repeat(100_000))).toBeUndefined();
    expect(counters).toEqual({ valuesTooLong: 1, patternsFailed: 0 });
    expect(long("ab")).toBe(true);
  });

  it("that tells more word characters apart than can be is not matched, which is counted", () => {
    const letters = Array.from({ length: 80 }, (_, index) => String.fromCharCode(0x400 + index)).join("");
    const counters = createCounters();
    const pattern = compileDotnetPattern(`\\b${letters}`, counters);
    expect(pattern(letters)).toBeUndefined();
    expect(counters).toEqual({ valuesTooLong: 0, patternsFailed: 1 });
    expect(matches(letters, letters)).toBe(true);
  });

  it("cannot be made to backtrack", () => {
    const text = `${"a".repeat(4000)}!`;
    const started = performance.now();
    for (const pattern of ["^(a+)+$", "^(a|aa)+$", "(.*)*x", "^(?i)(a|a?)+$"]) {
      expect(matches(pattern, text)).toBe(false);
      expect(matches(pattern, `é${text}`)).toBe(false);
    }
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

/** One pattern in the syntax of .NET, and in that of JavaScript, which counts units too. */
interface Pair {
  readonly dotnet: string;
  readonly js: string;
}

const wordClass = (() => {
  const member = /[\p{L}\p{Mn}\p{Nd}\p{Pc}]/u;
  let inside = "";
  for (let unit = 0; unit < 0x700; unit++) {
    const text = String.fromCharCode(unit);
    if (member.test(text)) inside += `\\u${unit.toString(16).padStart(4, "0")}`;
  }
  return inside;
})();
const boundary = `(?:(?<=[${wordClass}])(?![${wordClass}])|(?<![${wordClass}])(?=[${wordClass}]))`;
const pair = (dotnet: string, js: string = dotnet): Pair => ({ dotnet, js });
const atoms: readonly Pair[] = [
  pair("a"),
  pair("b"),
  pair("é"),
  pair("_"),
  pair("😀"),
  pair("\\n"),
  pair(".", "[^\\n]"),
  pair("\\w", `[${wordClass}]`),
  pair("\\W", `[^${wordClass}]`),
  pair("[^a]"),
  pair("[a-cé]"),
  pair("\\u0663"),
  pair("^"),
  pair("$", "(?=\\n?(?![^]))"),
  pair("\\z", "(?![^])"),
  pair("\\b", boundary),
  pair("\\B", `(?!${boundary})`),
];

const pairs: fc.Arbitrary<Pair> = fc.letrec<{ node: Pair }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom(...atoms),
    fc.array(tie("node"), { minLength: 1, maxLength: 4 }).map((subs) => ({
      dotnet: subs.map(({ dotnet }) => `(?:${dotnet})`).join(""),
      js: subs.map(({ js }) => `(?:${js})`).join(""),
    })),
    fc.tuple(tie("node"), tie("node")).map(([left, right]) => ({
      dotnet: `(${left.dotnet}|${right.dotnet})`,
      js: `(${left.js}|${right.js})`,
    })),
    fc.tuple(tie("node"), fc.constantFrom("*", "+", "?", "*?", "{2}", "{1,2}")).map(([sub, count]) => ({
      dotnet: `(?:${sub.dotnet})${count}`,
      js: `(?:${sub.js})${count}`,
    })),
  ),
})).node;

const texts = fc.string({
  unit: fc.constantFrom("a", "b", "é", "_", " ", "\n", "\r", "😀", "٣"),
  maxLength: 8,
});

describe("any pattern of what is offered", () => {
  it("matches what it matches when it backtracks", () => {
    fc.assert(
      fc.property(pairs, fc.array(texts, { minLength: 1, maxLength: 5 }), ({ dotnet, js }, all) => {
        const counters = createCounters();
        const pattern = compileDotnetPattern(dotnet, counters);
        const oracle = new RegExp(js);
        for (const text of all) expect([text, pattern(text)]).toEqual([text, oracle.test(text)]);
        expect(counters).toEqual({ valuesTooLong: 0, patternsFailed: 0 });
      }),
      { numRuns: 1500 },
    );
  });

  it("that is arbitrary text is read or refused, and never throws when it runs", () => {
    const source = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: fc.constantFrom(..."ab()[]{}?*+|^$\\.-<>=!:,12dwpPkxu#i\n") }),
    );
    fc.assert(
      fc.property(source, texts, (pattern, text) => {
        const counters = createCounters();
        try {
          compileDotnetPattern(pattern, counters)(text);
        } catch (error) {
          expect(error).toBeInstanceOf(PatternProblem);
        }
        expect(counters.patternsFailed).toBe(0);
      }),
      { numRuns: 3000 },
    );
  });
});
