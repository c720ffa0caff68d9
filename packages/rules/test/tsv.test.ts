import { type Redirect, redirectStatusNames } from "@posthouse/protocol";
import { createTsvParser, parseRules, type TsvRow } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const header = "type\tsource\ttarget\tstatus\n";

function read(text: string, pieces = 1): TsvRow[] {
  const parser = createTsvParser();
  const size = Math.max(1, Math.ceil(text.length / pieces));
  const rows: TsvRow[] = [];
  for (let at = 0; at < text.length; at += size) rows.push(...parser.push(text.slice(at, at + size)));
  return [...rows, ...parser.end()];
}

const reasons = (text: string): string[] =>
  read(header + text).map((row) => ("error" in row ? row.error.reason : "ok"));

describe("the TSV parser", () => {
  it("gives back what was written, in pieces of any size", () => {
    const cell = fc.string({ unit: fc.constantFrom(...'ab/é"\t\n 😀,;'.split(/(?:)/u)), maxLength: 8 });
    const redirect = fc.record({
      type: fc.constantFrom("BASIC" as const, "REGEX" as const),
      source: cell.map((text) => `/p${text.replace(/[^ab/é"\t\n 😀,;]/gu, "")}x`),
      target: cell.map((text) => `/${text}x`),
      status: fc.constantFrom(...redirectStatusNames),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(redirect, { selector: ({ source }) => source }),
        fc.integer({ min: 1, max: 50 }),
        (all, pieces) => {
          const quote = (text: string): string => `"${text.replaceAll('"', '""')}"`;
          const lines = all.map((one: Redirect) =>
            [one.type, quote(one.source), quote(one.target), one.status].join("\t"),
          );
          const rows = read(`\uFEFF${header}${lines.join("\r\n")}`, pieces);
          expect(rows.map(({ line }) => line)).toEqual(all.map((_one, index) => index + 2));
          const controls = /[\t\n]/;
          for (const [index, row] of rows.entries()) {
            const one = all[index];
            if (one?.type === "BASIC" && controls.test(one.source)) {
              expect(row).toMatchObject({ error: { reason: "INVALID_REDIRECT" } });
            } else expect(row).toMatchObject({ redirect: one });
          }
        },
      ),
    );
  });

  it("gives the reason of every row it refuses", () => {
    expect(reasons("BASIC\t/a\n")).toEqual(["INVALID_FORMAT"]);
    expect(reasons("WRONG\t/a\t/b\t301\n")).toEqual(["INVALID_TYPE"]);
    expect(reasons("basic\t \t/b\t301\n")).toEqual(["EMPTY_SOURCE"]);
    expect(reasons("basic\t/a\t\t301\n")).toEqual(["EMPTY_TARGET"]);
    expect(reasons("basic\t/a\t/b\t303\n")).toEqual(["INVALID_STATUS"]);
    expect(reasons("basic\t/a\t/b\t301\n\nbasic\t/a\t/c\tFound\n")).toEqual([
      "ok",
      "DUPLICATE_SOURCE_IN_FILE",
    ]);
    expect(reasons("regex\t^/a(\t/b\t301\n")).toEqual(["INVALID_REDIRECT"]);
  });

  it("looks for :// before the query only", () => {
    expect(reasons("basic_host\th.example/a?u=http://x\thttps://n/\t301\n")).toEqual(["ok"]);
    expect(reasons("basic_host\thttp://h.example/a\thttps://n/\t301\n")).toEqual(["INVALID_REDIRECT"]);
  });

  it("reads quotes as Go does when they are lazy", () => {
    expect(reasons('basic\t/a"b\t/b\t301\nbasic\t"/c\t/d\t301\nbasic\t/e\t/f\t301\n')).toEqual([
      "ok",
      "INVALID_FORMAT",
    ]);
  });

  it("refuses another header", () => {
    for (const text of ["", "type,source,target,status\n", "source\ttype\ttarget\tstatus\n"]) {
      expect(() => read(text)).toThrow(expect.objectContaining({ code: "TSV_HEADER_INVALID" }));
    }
  });
});

describe("rule files", () => {
  it("reads comma and semicolon", () => {
    const wanted = [{ type: "BASIC", source: "/a", target: "/b", status: "FOUND" }];
    expect(parseRules("type,source,target,status\nbasic,/a,/b,302\n", "csv").redirects).toEqual(wanted);
    expect(parseRules("\uFEFFtype;source;target;status\r\nbasic;/a;/b;302\r\n", "csv").redirects).toEqual(
      wanted,
    );
    expect(parseRules("type\tsource\ttarget\tstatus\nbasic\t/a\t/b\t302\n", "tsv").redirects).toEqual(wanted);
  });
});
