import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDouble } from "../src/number.ts";

describe("a number as .NET reads it", () => {
  it.each([
    ["5", 5],
    [" 5 ", 5],
    ["\t\n\v\f\r5\t", 5],
    ["+5", 5],
    ["-1", -1],
    ["-.5", -0.5],
    ["5.", 5],
    ["1e1", 10],
    ["1E+1", 10],
    ["1e-1", 0.1],
    ["1,000", 1000],
    ["1,2,3", 123],
    ["5,", 5],
    ["5,.5", 5.5],
    ["5,e2", 500],
    ["5,,5", 55],
    ["1e400", Number.POSITIVE_INFINITY],
    ["-1e400", Number.NEGATIVE_INFINITY],
    ["1e-400", 0],
    ["Infinity", Number.POSITIVE_INFINITY],
    ["-infinity", Number.NEGATIVE_INFINITY],
    ["+INFINITY", Number.POSITIVE_INFINITY],
    ["007", 7],
    ["5\0\0", 5],
    ["0.1", 0.1],
    ["9007199254740993", 9007199254740992],
  ])("%j is %s", (text, number) => expect(parseDouble(text)).toBe(number));

  it.each([
    "",
    " ",
    "abc",
    "5a",
    "0x05",
    "1_000",
    "5%",
    "$5",
    "(5)",
    ",5",
    "1.5,0",
    "1.5.0",
    "1e",
    "1e+",
    "e5",
    ".",
    "+",
    "+-5",
    "- 5",
    "5 5",
    "5-",
    "٣",
    "\u00a05",
    "\u22125",
    "5\0 ",
    "NaN",
    "-nan",
    "Infinit",
    "∞",
    "1e5,000",
    "1e1.5",
    "--Infinity",
  ])("%j is none", (text) => expect(parseDouble(text)).toBeNaN());

  it("is what was written, whatever double it is", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (number) => {
        const read = parseDouble(String(number));
        expect(read === number).toBe(true);
      }),
    );
  });
});
