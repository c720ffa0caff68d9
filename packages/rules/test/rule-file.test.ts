import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Redirect, redirectStatusNames } from "@posthouse/protocol";
import { formatTsvRow, parseRules, type RuleFileFormat, tsvHeader } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";

const good: Redirect = { type: "BASIC", source: "/a", target: "/b", status: "FOUND" };
const page = { type: "BASIC", path: "/p", content: "x\ny", contentType: "TEXT_PLAIN" } as const;

const text = fc.string({
  unit: fc.constantFrom(..."ab/é\"' 😀,;:#-[]{}$(%41)\\|>*&!".split(/(?:)/u)),
  maxLength: 9,
});
const redirects = fc.uniqueArray(
  fc.record({
    type: fc.constant("BASIC" as const),
    source: text.map((end) => `/p${end.replaceAll("%", "%25")}x`),
    target: text.map((end) => `/t${end}x`),
    status: fc.constantFrom(...redirectStatusNames),
  }),
  { selector: ({ source }) => source, maxLength: 6 },
);
const quoted = (separator: string) => (all: readonly Redirect[]) =>
  ["type,source,target,status".replaceAll(",", separator)]
    .concat(
      all.map(({ type, source, target, status }) =>
        [type, source, target, status].map((cell) => `"${cell.replaceAll('"', '""')}"`).join(separator),
      ),
    )
    .join("\r\n");
const formats: [string, RuleFileFormat, (all: readonly Redirect[]) => string][] = [
  ["TSV", "tsv", (all) => tsvHeader + all.map(formatTsvRow).join("")],
  ["CSV", "csv", quoted(",")],
  ["CSV with semicolons", "csv", quoted(";")],
  ["JSON", "json", (all) => JSON.stringify(all)],
  ["indented JSON", "json", (all) => JSON.stringify({ pages: [], redirects: all }, undefined, 2)],
  ["YAML", "yaml", (all) => stringify(all)],
  ["flowing YAML", "yaml", (all) => stringify({ redirects: all }, { collectionStyle: "flow" })],
];

describe("a rule file", () => {
  it.each(formats)("in %s gives back what was written", (_name, format, write) => {
    fc.assert(
      fc.property(redirects, fc.constantFrom("", "\uFEFF"), (all, mark) => {
        const file = parseRules(mark + write(all), format);
        expect(file.errors).toEqual([]);
        expect(file.redirects).toEqual(all);
        expect(file.lines.redirects).toHaveLength(all.length);
      }),
      { numRuns: Number(process.env.RUNS ?? 300) },
    );
  });

  it("in TSV may hold tabs and newlines in patterns", () => {
    const pattern: Redirect = { ...good, type: "REGEX", source: "^/a\tb\nc$", target: '"quoted"' };
    expect(parseRules(tsvHeader + formatTsvRow(pattern), "tsv").redirects).toEqual([pattern]);
  });

  it.each([
    [
      "json",
      '[\n  {"type": "BASIC",\n   "source": "/a", "target": "/b", "status": 302},\n  5,\n  {"type": "X"}\n]',
      [2],
      ["4 ENTRY_INVALID", ...Array(4).fill("5 ENTRY_INVALID")],
    ],
    [
      "json",
      '{"pages": [],\n"redirects": [{"source":"/[,{]\\"","type":"BASIC","target":"/b","status":"FOUND"},\n\n{"type":"REGEX","source":"^/(","target":"/b","status":"FOUND"}]}',
      [2],
      ["4 PATTERN_INVALID"],
    ],
    [
      "yaml",
      "# mine\n- {type: BASIC, source: /a, target: /b, status: 301}\n- type: REGEX\n  source: ^/[z-a]$\n  target: /b\n  status: FOUND\n- type: BASIC\n  source: /c\n  target: 7\n  status: FOUND\n",
      [2],
      ["3 PATTERN_INVALID", "9 ENTRY_INVALID"],
    ],
    [
      "yaml",
      "redirects:\n  - &a {type: BASIC, source: /a, target: /b, status: FOUND}\n  - *a\n",
      [2],
      ["3 DUPLICATE_SOURCE_IN_FILE"],
    ],
    [
      "csv",
      'type;source;target;status\n\n"basic";"/a\nz";"/b";301\nbasic;/c;/d;301\nbasic;/c;/e;301\nnone;/f;/g;301\n',
      [5],
      ["3 SOURCE_INVALID", "6 DUPLICATE_SOURCE_IN_FILE", "7 INVALID_TYPE"],
    ],
  ] as [RuleFileFormat, string, number[], string[]][])(
    "in %s tells the line of every error",
    (format, content, kept, wrong) => {
      const file = parseRules(content, format);
      expect(file.lines.redirects).toEqual(kept);
      expect(file.errors.map(({ line, code }) => `${line} ${code}`)).toEqual(wrong);
    },
  );

  it("tells field and position, and warns", () => {
    const file = parseRules(
      JSON.stringify([
        { ...good, source: "/a%zz" },
        { ...good, type: "REGEX", source: "^/(.*)/$", target: "/$1" },
      ]),
      "json",
    );
    expect(file.errors).toMatchObject([{ code: "SOURCE_INVALID", field: "source", position: 2 }]);
    expect(file.warnings).toMatchObject([{ code: "TARGET_MAY_LEAVE_SITE", field: "target", line: 1 }]);
  });

  it("may hold pages", () => {
    const file = parseRules(
      stringify({ redirects: [], pages: [page, page, { ...page, path: "p" }] }),
      "yaml",
    );
    expect(file.pages).toEqual([page]);
    expect(file.errors.map(({ code }) => code)).toEqual(["DUPLICATE_SOURCE_IN_FILE", "PATH_NOT_ROOTED"]);
  });

  it.each([
    ["json", "{", /line 1/],
    ["json", '[{"a": [1, 2.5e3, "\\u00e9\\n", true, null, {}]},\n\n [],]', /line 3/],
    ["json", "3"],
    ["json", '{"redirects":1}'],
    ["json", '{"redirects":[],"rules":[]}'],
    ["json", '[\n{"type":}\n]', /line 2/],
    ["yaml", ""],
    ["yaml", "redirects:\n  - {type: BASIC\n  - x", /line \d/],
    ["yaml", "- a\n- b: [c\n", /line \d/],
    [
      "yaml",
      `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
        .split("")
        .map((name, at) => `${name}: &${name} [${Array(9).fill(`*${"abcdefgh"[at]}`).join()}]`)
        .join("\n")}\n`,
    ],
  ] as [RuleFileFormat, string, RegExp?][])(
    "in %s is refused as a whole: %s",
    (format, content, message = /./) => {
      const refused = expect.objectContaining({
        code: "RULE_FILE_INVALID",
        message: expect.stringMatching(message),
      });
      expect(() => parseRules(content, format)).toThrow(refused);
    },
  );

  it.each([
    ["yml", "yaml"],
    ["text", "_redirects"],
  ] as const)("as the guide shows it in a block %s is right", (block, format) => {
    const guide = readFileSync(join(import.meta.dirname, "../../../docs/guide/rule-files.md"), "utf8");
    const example = guide.split("```" + block + "\n")[1]?.split("```")[0] ?? "";
    const file = parseRules(example, format);
    expect(file.errors).toEqual([]);
    expect(file.redirects.length).toBeGreaterThan(1);
  });
});
