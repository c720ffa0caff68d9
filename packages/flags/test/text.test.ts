import { describe, expect, it } from "vitest";
import { endsWithCanonical, isBlank, startsWithCanonical } from "../src/text.ts";
import { parseTimestamp } from "../src/timestamp.ts";

describe("the start and the end of a text", () => {
  it.each([
    ["foobar", "foo", true],
    ["foobar", "FOO", false],
    ["foobar", "", true],
    ["", "", true],
    ["", "a", false],
    ["\u00e9tat", "e\u0301t", true],
    ["e\u0301tat", "\u00e9", true],
    ["e\u0301tat", "e", false],
    ["\u00e9tat", "e", false],
    ["\u0301", "", true],
    ["用户1", "用户", true],
    ["K", "\u212a", true],
    ["😀x", "😀", true],
  ])("%j starts with %j: %s", (text, start, wanted) => expect(startsWithCanonical(text, start)).toBe(wanted));

  it.each([
    ["tom_qa", "_qa", true],
    ["tom_QA", "_qa", false],
    ["x", "", true],
    ["caf\u00e9", "e\u0301", true],
    ["cafe\u0301", "\u00e9", true],
    ["cafe\u0301", "\u0301", false],
    ["\u0301", "\u0301", true],
    ["1用户", "用户", true],
    ["x", "xx", false],
  ])("%j ends with %j: %s", (text, end, wanted) => expect(endsWithCanonical(text, end)).toBe(wanted));
});

describe("a blank text", () => {
  it.each([null, undefined, "", " ", "\t\r\n", "\u0085", "\u00a0\u3000"])("%j", (text) =>
    expect(isBlank(text)).toBe(true),
  );
  it.each(["a", " a ", "\ufeff", "\u200b", "0"])("not %j", (text) => expect(isBlank(text)).toBe(false));
});

describe("a time", () => {
  it.each([
    ["2024-01-01T00:00:00.123Z", 1704067200123],
    ["2024-01-01T00:00:00.1239999Z", 1704067200123],
    ["2024-01-01T00:00:00Z", 1704067200000],
    ["2024-01-01T00:00Z", 1704067200000],
    ["2024-01-01T00:00:00", 1704067200000],
    ["2024-01-01T02:00:00.5+02:00", 1704067200500],
  ])("%s", (text, time) => expect(parseTimestamp(text)).toBe(time));
  it.each(["", "2024-01-01", "1704067200000", "2024-13-01T00:00:00Z", "yesterday"])("not %j", (text) =>
    expect(parseTimestamp(text)).toBeUndefined(),
  );
});
