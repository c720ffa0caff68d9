import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { flattenedArguments, positionalArguments } from "../../src/events/celery/task-arguments.ts";

const ten = (args: string): string[] => positionalArguments(args, 10);

describe("positional arguments", () => {
  for (const [args, texts] of [
    ["", []],
    ["()", []],
    ["[]", []],
    ["(4, 4)", ["4", "4"]],
    ["(1,)", ["1"]],
    ["('héllo ', '中文 😀')", ["héllo ", "中文 😀"]],
    ["(None, True, 1.0, 1e16, ...)", ["None", "True", "1.0", "1e+16", "Ellipsis"]],
    ["({'a': \"it's\"}, [1, 'x'], (2,), b'\\xff')", ["{'a': \"it's\"}", "[1, 'x']", "(2,)", "b'\\xff'"]],
    ["5", ["5"]],
    ["{'a': 1}", ["{'a': 1}"]],
    ["(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)", ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]],
    ["([0, 1, 22..., ...])", ["([0, 1, 22..., ...])"]],
    ["<hidden>", ["<hidden>"]],
    ["(<object at 0x1>,)", ["(<object at 0x1>,)"]],
  ] as const) {
    it(`of ${args === "" ? "nothing" : args}`, () => expect(ten(args)).toEqual(texts));
  }

  it("are cut to 256 characters, never within one", () => {
    expect(ten(`('${"x".repeat(300)}',)`)).toEqual(["x".repeat(256)]);
    expect(ten(`('${"😀".repeat(300)}',)`)).toEqual(["😀".repeat(256)]);
    expect(ten(`(${"x".repeat(300)}`)).toEqual([`(${"x".repeat(255)}`]);
  });

  it("have no lone surrogate, as a file name of undecodable bytes has: Leek's API would drop the rest of the batch", () => {
    expect(ten("('a\\udc80b',)")).toEqual(["a\ufffdb"]);
  });
});

describe("keyword arguments", () => {
  for (const [kwargs, flat] of [
    ["", {}],
    ["{}", {}],
    ["(1, 2)", {}],
    ["{'a': 'cut off...", {}],
    ["{'x': 12, 'y': 1.5, 'z': -3}", { x: 12, y: 1.5, z: -3 }],
    [
      "{'string': 'it\\'s', 'yes': True, 'no': False, 'none': None}",
      { string: "it's", yes: true, no: false, none: null },
    ],
    [
      "{'array': [3, 9], 'd': {'f': 'John', 'n': {'a': None}}}",
      { "array.0": 3, "array.1": 9, "d.f": "John", "d.n.a": null },
    ],
    ["{'t': (1, (2,)), 's': {3}}", { "t.0": 1, "t.1.0": 2, "s.0": 3 }],
    ["{'l': [], 'd': {}, 't': (), 's': set()}", { l: "[]", d: "{}", t: "[]", s: "[]" }],
    [
      "{'b': b'caf\\xc3\\xa9 \\xff', 'e': ..., 'c': 1+2j}",
      { b: "café \ufffd", e: "<ELLIPSIS>", c: "(1+2j)" },
    ],
    ["{'a': ...}", { a: "<ELLIPSIS>" }],
    ["{1: 'x', None: 'y', (1, 2): 'z'}", { "1": "x", None: "y", "(1, 2)": "z" }],
    ['{"json": [true, null, {"a": 1}]}', { "json.0": true, "json.1": null, "json.2.a": 1 }],
    ['{"it\'s": 1}', { "it's": 1 }],
    ["{'inf': 1e999}", { inf: null }],
    ["{'a\\udc80': 'b\\udc80'}", { "a\ufffd": "b\ufffd" }],
  ] as const) {
    it(`of ${kwargs === "" ? "nothing" : kwargs}`, () => {
      expect(JSON.parse(JSON.stringify(flattenedArguments(kwargs)))).toEqual(flat);
    });
  }

  it("keep ints that no double holds", () => {
    expect(JSON.stringify(flattenedArguments("{'id': 12345678901234567890}"))).toBe(
      '{"id":12345678901234567890}',
    );
  });

  it("are cut: strings to 100 characters, lists to 100 items", () => {
    expect(flattenedArguments(`{'s': '${"😀".repeat(101)}'}`)).toEqual({ s: "😀".repeat(100) });
    expect(Object.keys(flattenedArguments(`{'l': [${"0, ".repeat(200)}]}`)).length).toBe(100);
  });

  it("nested deeper than twelve are JSON text", () => {
    const nested = (levels: number): string =>
      `{'k': ${"[".repeat(levels)}'é', None, 1${"]".repeat(levels)}}`;
    const path = (levels: number): string => `k${".0".repeat(levels)}`;
    expect(flattenedArguments(nested(11))).toHaveProperty([path(11)], "é");
    expect(flattenedArguments(nested(12))).toEqual({ [path(11)]: '["\\u00e9", null, 1]' });
    expect(flattenedArguments(`{'k': ${"[".repeat(11)}{'a': [1, 2]}${"]".repeat(11)}}`)).toEqual({
      [path(11)]: '{"a": [1, 2]}',
    });
  });

  it("may be called __proto__", () => {
    expect(JSON.stringify(flattenedArguments("{'__proto__': 1, 'a': {'__proto__': 2}}"))).toBe(
      '{"__proto__":1,"a.__proto__":2}',
    );
  });

  it("have names of bounded length, each and together", () => {
    const key = "k".repeat(7000);
    const leaves = Array.from({ length: 5000 }, (_, index) => `'${index}': ${index}`).join(", ");
    const text = JSON.stringify(flattenedArguments(`{'${key}': {${leaves}}, '${"x".repeat(9000)}': 1}`));
    expect(text.length).toBeLessThan(300_000);
    expect(text.length).toBeGreaterThan(200_000);
  });

  it("never throw", () => {
    const near = fc.array(
      fc.constantFrom("{", "}", "[", "]", "'a'", '"b"', ":", ",", "1", "...", "None", "true", " ", "\\"),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: "binary" }),
          near.map((parts) => `{${parts.join("")}`),
        ),
        (text) => {
          JSON.stringify(flattenedArguments(text));
          ten(text);
        },
      ),
    );
    expect(flattenedArguments(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`)).toEqual({});
  });
});
