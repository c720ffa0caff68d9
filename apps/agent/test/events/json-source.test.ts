import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { itemSources, parsePythonJson } from "../../src/events/celery/json-source.ts";

describe("JSON as Python writes it", () => {
  it("may hold NaN and Infinity, which are not finite", () => {
    const text = '{"a": NaN, "b": [-Infinity, Infinity], "c": "NaN \\" Infinity", "d\\\\": 1}';
    expect(parsePythonJson(text)).toEqual({
      value: {
        a: Number.POSITIVE_INFINITY,
        b: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
        c: 'NaN " Infinity',
        "d\\": 1,
      },
    });
    for (const bad of ["NaN NaN", "{NaN: 1}", "nan", "[Infinity", '["NaN]', "", "{'a': 1}"]) {
      expect(parsePythonJson(bad), bad).toBeUndefined();
    }
  });

  it("keeps its strings as they are, whatever stands in them", () => {
    const text = fc
      .array(fc.constantFrom("NaN", "Infinity", '"', "\\", "[", "{", ",", "é", "\n", "x"))
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(fc.array(text), (strings) => {
        const json = `[${[...strings.map((one) => JSON.stringify(one)), "NaN"].join(",")}]`;
        expect(parsePythonJson(json)?.value).toEqual([...strings, Number.POSITIVE_INFINITY]);
      }),
    );
  });
});

describe("the items of a list", () => {
  it("are found as they were written", () => {
    const space = fc.constantFrom("", " ", "\n\t");
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.json(), space, space)), (items) => {
        const list = items.map(([json, before, after]) => before + json + after).join(",");
        expect(itemSources(` [${list}] `)).toEqual(items.map(([json]) => json.trim()));
      }),
    );
  });

  it("are found in time linear in the text", () => {
    expect(itemSources(`["${"\\\\".repeat(2_000_000)}",${'"\\"",'.repeat(500_000)}1]`).length).toBe(500_002);
  });
});
