import type { Item } from "@posthouse/protocol";
import { compileRules, explain, type NearReason } from "@posthouse/rules";
import { describe, expect, it } from "vitest";

const rules: Item[] = [
  { id: 1, kind: "redirect", type: "BASIC", source: "/a", target: "/1", status: "FOUND" },
  {
    id: 2,
    kind: "redirect",
    type: "BASIC_HOST",
    source: "other.example/a",
    target: "https://n/",
    status: "FOUND",
  },
  { id: 3, kind: "redirect", type: "REGEX", source: "^/a$", target: "/3", status: "FOUND" },
  { id: 4, kind: "page", type: "BASIC", path: "/A/", content: "", contentType: "XML" },
  { id: 5, kind: "redirect", type: "BASIC", source: "/a?x=1", target: "/5", status: "FOUND" },
  { id: 6, kind: "redirect", type: "REGEX", source: "^/a/$", target: "/6", status: "FOUND" },
  { id: 7, kind: "redirect", type: "BASIC", source: "/else", target: "/7", status: "FOUND" },
  { id: 8, kind: "redirect", type: "REGEX", source: "^/a(", target: "/8", status: "FOUND" },
];

describe("explain", () => {
  it("names the rule that answers, and why others did not", () => {
    const { match, near } = explain(compileRules(rules), { host: "h.example", uri: "/a" });
    expect(match?.item.id).toBe(1);
    const reasons: [number, NearReason[]][] = near.map((one) => [one.item.id, [...one.reasons]]);
    expect(reasons).toEqual([
      [2, ["OTHER_HOST"]],
      [3, ["OUTRANKED"]],
      [4, ["TRAILING_SLASH", "CASE"]],
      [5, ["QUERY"]],
      [6, ["TRAILING_SLASH"]],
    ]);
    expect(near.every(({ message }) => message.endsWith("."))).toBe(true);
  });

  it("finds near rules when none answers", () => {
    const { match, near } = explain(compileRules(rules), { host: "h.example", uri: "/ELSE/?y" });
    expect(match).toBeUndefined();
    expect(near).toMatchObject([{ item: { id: 7 }, reasons: ["QUERY", "TRAILING_SLASH", "CASE"] }]);
  });
});
