import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatForwardedElement,
  lastElementsFirst,
  parseForwardedElement,
} from "../src/http/forwarded-element.ts";

const anyText = fc.string({ unit: fc.nat(0x2ff).map((code) => String.fromCharCode(code)) });

describe("an element of Forwarded (RFC 7239)", () => {
  it.each([
    ["for=192.0.2.60;proto=http;by=203.0.113.43", { for: "192.0.2.60", proto: "http", by: "203.0.113.43" }],
    ['For="[2001:db8:cafe::17]:4711"', { for: "[2001:db8:cafe::17]:4711" }],
    ['for="_gazonk"', { for: "_gazonk" }],
    ["  for = 1.2.3.4 ", { for: "1.2.3.4" }],
    ['HOST="a\\"b\\\\c"; pRoTo=https', { host: 'a"b\\c', proto: "https" }],
    ['host="a;for=9.9.9.9,for=8.8.8.8";for=1.1.1.1', { host: "a;for=9.9.9.9,for=8.8.8.8", for: "1.1.1.1" }],
    ["for=1.1.1.1;for=2.2.2.2", { for: "1.1.1.1" }],
    ["for=2001:db8::1", { for: "2001:db8::1" }],
    ["for=[2001:db8::1]:80", { for: "[2001:db8::1]:80" }],
    ["for=1.1.1.1;secret=x;a=", { for: "1.1.1.1" }],
    [";;for=1.1.1.1; ;", { for: "1.1.1.1" }],
    ["for=", { for: "" }],
    ['for=""', { for: "" }],
    [`${"a=b;".repeat(15)}for=1.1.1.1`, { for: "1.1.1.1" }],
    ["", {}],
    ["\tfor=1.1.1.1\t", { for: "1.1.1.1" }],
    ["__proto__=1;constructor=2", {}],
  ])("%j is read", (text, element) => {
    expect(parseForwardedElement(text)).toEqual(element);
  });

  it.each([
    "for",
    "=1.1.1.1",
    'for="1.1.1.1',
    'for=1.1.1.1"',
    'for="1.1.1.1"x',
    'for="a\\',
    "for=1.1.1.1 x",
    "for=1.1.1.1,for=2.2.2.2",
    "fo r=1.1.1.1",
    "for=é",
    'for="\u0101"',
    "for=1\r\n",
    "for=1.1.1.1\0",
    "1.1.1.1",
    `${"a=b;".repeat(16)}for=1.1.1.1`,
    ";".repeat(17),
  ])("%j is malformed", (text) => {
    expect(parseForwardedElement(text)).toBeUndefined();
  });

  it.each([
    [
      { for: "1.2.3.4", by: "_p", host: "a.example", proto: "https" },
      "for=1.2.3.4;by=_p;host=a.example;proto=https",
    ],
    [{ proto: "http", for: "[2001:db8::1]" }, 'for="[2001:db8::1]";proto=http'],
    [{ for: "1.2.3.4:80", host: "a.example:8080" }, 'for="1.2.3.4:80";host="a.example:8080"'],
    [{ host: 'a"b\\c,d;e' }, 'host="a\\"b\\\\c,d;e"'],
    [{ host: "" }, 'host=""'],
    [{ for: "1.2.3.4", host: "a\r\nX: y", proto: "\u010a" }, "for=1.2.3.4"],
    [{}, ""],
  ])("%j is written %s", (element, text) => {
    expect(formatForwardedElement(element)).toBe(text);
  });

  const printable = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  });
  const elements = fc.record(
    { for: printable, by: printable, host: printable, proto: printable },
    { requiredKeys: [] },
  );
  const hostile = fc.string({ unit: fc.constantFrom(...'for=by;,"\\ 1.2:[]_\t\r\n\0é\u010a') });

  it("is read as it was written", () => {
    fc.assert(
      fc.property(elements, (element) => {
        expect(parseForwardedElement(formatForwardedElement(element))).toEqual(element);
      }),
    );
  });

  it("is found again at the end of a list, whatever stands before it", () => {
    fc.assert(
      fc.property(hostile, fc.array(elements, { minLength: 1, maxLength: 5 }), (before, list) => {
        const written = list.map(formatForwardedElement).filter((text) => text !== "");
        const line = [before, ...written].join(",");
        const read = [...lastElementsFirst([line], 1000)].slice(0, written.length);
        expect(read.reverse()).toEqual(written.map((text) => text.trim()));
      }),
    );
  });

  it("is printable ASCII whatever is written", () => {
    const any = fc.oneof(hostile, anyText);
    fc.assert(
      fc.property(fc.record({ for: any, by: any, host: any, proto: any }), (element) => {
        expect(formatForwardedElement(element)).toMatch(/^[ -~]*$/);
      }),
    );
  });

  it("is read or refused in any text", () => {
    fc.assert(
      fc.property(fc.oneof(hostile, anyText), (text) => {
        for (const value of Object.values(parseForwardedElement(text) ?? {}))
          expect(value).toMatch(/^[\t -~]*$/);
      }),
    );
  });
});

describe("the elements of Forwarded lines", () => {
  it.each([
    [
      ["for=1, for=2", "for=3"],
      ["for=3", "for=2", "for=1"],
    ],
    [['for="a,b;c", for=2'], ["for=2", 'for="a,b;c"']],
    [['for="a\\",b", for=2'], ["for=2", 'for="a\\",b"']],
    [['for="a\\\\", for=2'], ["for=2", 'for="a\\\\"']],
    [[" ,, for=1 ,", ""], ["for=1"]],
    [['x=", for=2'], ["for=2", 'x="']],
    [['x=", for="[::1]"'], ['for="[::1]"', 'x="']],
    [['x="\\", for="[::1]"'], ['for="[::1]"', 'x="\\"']],
    [
      ['x="', 'y="', "for=2"],
      ["for=2", 'y="', 'x="'],
    ],
    [[","], []],
    [[""], []],
    [[], []],
  ])("of %j are %j from the last to the first", (lines, elements) => {
    expect([...lastElementsFirst(lines, 100)]).toEqual(elements);
  });

  it("are looked at up to the limit, the empty ones counted", () => {
    expect([...lastElementsFirst(["1,2,3,4", "5"], 3)]).toEqual(["5", "4", "3"]);
    expect([...lastElementsFirst(["1,,,", ""], 4)]).toEqual([]);
  });
});
