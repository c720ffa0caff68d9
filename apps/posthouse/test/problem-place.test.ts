import type { RuleFileFormat } from "@posthouse/rules";
import { describe, expect, it } from "vitest";
import { createPlaceFinder } from "../src/rule-file/problem-place.ts";

const place = (text: string, format: RuleFileFormat, line: number, field?: string, position?: number) => {
  const found = createPlaceFinder(
    text,
    format,
  )({
    line,
    ...(field !== undefined && { field }),
    ...(position !== undefined && { position }),
  });
  return `${found.line}:${found.column}`;
};

const tsv =
  'type\tsource\ttarget\tstatus\nBASIC\t /a\t/b\t301\n"BASIC"\t"/a""\nb"\t"/b"\t301\nBASIC\t""\t/c\t301\n';
const csv = "\uFEFFtype;source;target;status\r\nBASIC;/a;/b;301\r\n";
const yaml =
  "redirects:\n  - type: REGEX\n    source: '^/a('\n    target: /b\n  - { type: BASIC, source: /c }\n";
const json = '[\n {"type":"BASIC","source":"/a","target":"/b"},\n {"source":"/\\"("}, {"source":"/c"}\n]';
const words = "# old\n  /a/*   /b  302\n/c /d\n";

describe("the place of a problem", () => {
  it.each([
    ["tsv", tsv, 2, "type", undefined, "2:1"],
    ["tsv", tsv, 2, "source", undefined, "2:8"],
    ["tsv", tsv, 2, "target", 1, "2:12"],
    ["tsv", tsv, 3, "source", 1, "3:11"],
    ["tsv", tsv, 3, "target", undefined, "4:5"],
    ["tsv", tsv, 5, "target", undefined, "5:10"],
    ["tsv", tsv, 2, undefined, undefined, "2:1"],
    ["csv", csv, 2, "status", undefined, "2:13"],
    ["yaml", yaml, 2, "source", 3, "3:17"],
    ["yaml", yaml, 2, "type", undefined, "2:11"],
    ["yaml", yaml, 5, "source", undefined, "5:28"],
    ["yaml", yaml, 5, "nothing", undefined, "5:1"],
    ["json", json, 2, "target", 1, "2:43"],
    ["json", json, 3, "source", 2, "3:1"],
    ["_redirects", words, 2, "source", 4, "2:3"],
    ["_redirects", words, 2, "target", undefined, "2:10"],
    ["_redirects", words, 3, "source", 1, "3:2"],
    ["_redirects", words, 3, "status", undefined, "3:1"],
  ] as const)("%s %#", (format, text, line, field, position, expected) =>
    expect(place(text, format, line, field, position)).toBe(expected),
  );
});
