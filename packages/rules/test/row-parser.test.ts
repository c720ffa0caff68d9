import { type Redirect, redirectStatusNames } from "@posthouse/protocol";
import { createRowParser, type TsvRow } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRecordReader, type Row } from "../src/tsv-record.ts";

function read(text: string, sizes: readonly number[] = []): TsvRow[] {
  const parser = createRowParser();
  const rows: TsvRow[] = [];
  let at = 0;
  for (const size of sizes) {
    rows.push(...parser.push(text.slice(at, at + size)));
    at += size;
  }
  return [...rows, ...parser.push(text.slice(at)), ...parser.end()];
}

const cell = fc
  .string({ unit: fc.constantFrom(...'ab/é" 😀,;'.split(/(?:)/u)), maxLength: 8 })
  .map((text) => `/p${text}x`);
const redirects: fc.Arbitrary<Redirect[]> = fc.uniqueArray(
  fc.record({
    type: fc.constantFrom("BASIC" as const, "REGEX" as const),
    source: cell,
    target: cell,
    status: fc.constantFrom(...redirectStatusNames),
  }),
  { selector: ({ source }) => source, maxLength: 6 },
);

describe("the row parser", () => {
  it("finds the separator in the header, whatever pieces the text comes in", () => {
    const options = fc.record({
      separator: fc.constantFrom("\t", ",", ";"),
      mark: fc.constantFrom("", "\uFEFF"),
      newline: fc.constantFrom("\n", "\r\n"),
      header: fc.constantFrom(
        ["type", "source", "target", "status"],
        ["Type", " SOURCE ", '"Target"', "status"],
      ),
      sizes: fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 20 }),
    });
    fc.assert(
      fc.property(redirects, options, (all, { separator, mark, newline, header, sizes }) => {
        const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const rows = all.map(({ type, source, target, status }) =>
          [type.toLowerCase(), quote(source), quote(target), status].join(separator),
        );
        const text = mark + [header.join(separator), ...rows, ""].join(newline);
        expect(read(text, sizes)).toEqual(
          all.map((redirect, index) => ({ line: index + 2, fileLine: index + 2, redirect })),
        );
      }),
      { numRuns: 500 },
    );
  });

  it("refuses a file without the four columns", () => {
    for (const text of [
      "",
      "\n",
      "source,target\n",
      "a;b;c;d\n",
      "type,source;target,status\n",
      "x".repeat(9000),
    ]) {
      expect(() => read(text, [3])).toThrow(expect.objectContaining({ code: "TSV_HEADER_INVALID" }));
    }
  });
});

describe("records", () => {
  it("are the same in pieces of any size", () => {
    const text = fc.string({ unit: fc.constantFrom(...'ab"",,\n\n\r'), maxLength: 24 });
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 5 })), (whole, sizes) => {
        const once = createRecordReader(",");
        const pieces = createRecordReader(",");
        const records: Row[] = [];
        let rest = whole;
        for (const size of sizes) {
          records.push(...pieces.push(rest.slice(0, size)));
          rest = rest.slice(size);
        }
        records.push(...pieces.push(rest), ...pieces.end());
        expect(records).toEqual([...once.push(whole), ...once.end()]);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    [
      "a,b\r\n\r\n,\n",
      [
        ["a", "b"],
        ["", ""],
      ],
    ],
    ['"a,""\r\nb",c\n', [['a,"\nb', "c"]]],
    ['a"b,"c"d"\n', [['a"b', 'c"d']]],
    ['""\n', [[""]]],
    ['"\r"', [["\r"]]],
    ['x,"open\ny,z\n', [["x", "open\ny,z"]]],
    ["a,b\r", [["a", "b"]]],
  ])("are read from %j", (text, records) => {
    const reader = createRecordReader(",");
    expect([...reader.push(text), ...reader.end()].map(({ cells }) => cells)).toEqual(records);
  });

  it("know the line on which they start", () => {
    const reader = createRecordReader(",");
    const records = [...reader.push('\na,"b\r\n\n"\n\nc'), ...reader.push("\nd\n"), ...reader.end()];
    expect(records.map(({ fileLine }) => fileLine)).toEqual([2, 6, 7]);
  });

  it("of any length keep a bounded part, and the next one is whole", () => {
    const reader = createRecordReader(",");
    const records = reader.push("a,");
    for (let piece = 0; piece < 40; piece++) records.push(...reader.push("x".repeat(65_536)));
    records.push(...reader.push(`,"z\n${",".repeat(1000)}"\nb,c\n`));
    expect(records.map(({ cells }) => cells.map(({ length }) => length))).toEqual([
      [1, 1_048_575, 0],
      [1, 1],
    ]);
  });
});
