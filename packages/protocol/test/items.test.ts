import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  formatItem,
  type Item,
  itemSchema,
  pageTypes,
  redirectStatusNames,
  redirectTypes,
} from "../src/index.ts";

const text = fc.string({ unit: "binary", maxLength: 80 }).filter((value) => value.isWellFormed());
const id = fc.integer({ min: 1, max: 0xffff_ffff });
const redirect: fc.Arbitrary<Item> = fc.record({
  id,
  kind: fc.constant("redirect" as const),
  type: fc.constantFrom(...redirectTypes),
  source: text,
  target: text,
  status: fc.constantFrom(...redirectStatusNames),
});
const page: fc.Arbitrary<Item> = fc.record({
  id,
  kind: fc.constant("page" as const),
  type: fc.constantFrom(...pageTypes),
  path: text,
  content: text,
  contentType: fc.constantFrom("TEXT_PLAIN" as const, "XML" as const),
});

describe("an item's line", () => {
  it("is one line of JSON that says the item again", () => {
    fc.assert(
      fc.property(fc.oneof(redirect, page), (item) => {
        const line = formatItem(item);
        expect(line).not.toContain("\n");
        expect(itemSchema.parse(JSON.parse(line))).toEqual(item);
        expect(line).toBe(JSON.stringify(JSON.parse(line)));
      }),
    );
  });

  it("has one fixed order of keys, since its hash is agreed between programs", () => {
    expect(
      formatItem({ status: "FOUND", target: "/b", source: "/a", type: "BASIC", kind: "redirect", id: 7 }),
    ).toBe('{"id":7,"kind":"redirect","type":"BASIC","source":"/a","target":"/b","status":"FOUND"}');
  });

  it.each([
    [
      "an unknown key",
      { id: 1, kind: "redirect", type: "BASIC", source: "/a", target: "/b", status: "FOUND", x: 1 },
    ],
    [
      "an unknown type",
      { id: 1, kind: "redirect", type: "basic", source: "/a", target: "/b", status: "FOUND" },
    ],
    ["an id of 0", { id: 0, kind: "redirect", type: "BASIC", source: "/a", target: "/b", status: "FOUND" }],
    ["a missing field", { id: 1, kind: "page", type: "BASIC", path: "/a", contentType: "XML" }],
  ])("is refused with %s", (_name, value) => {
    expect(itemSchema.safeParse(value).success).toBe(false);
  });
});
