import type { Item, RedirectItem } from "@posthouse/protocol";
import { checkRedirect, checkRules, compileRules } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

function redirect(id: number, type: RedirectItem["type"], source: string, target = "/t"): RedirectItem {
  return { id, kind: "redirect", type, source, target, status: "FOUND" };
}
const told = (items: readonly Item[]): string[] =>
  checkRules(items).map(({ itemId, code, field, position }) => `${itemId} ${code} ${field} ${position}`);

describe("checking a project", () => {
  it("tells of every item what checking it alone tells", () => {
    expect(told([redirect(7, "REGEX", "^/(a)$", "/$2"), redirect(3, "BASIC", "a")])).toEqual([
      "3 SOURCE_NOT_ROOTED source 0",
      "7 GROUP_MISSING target 1",
    ]);
  });

  it("tells which of equal sources does not answer", () => {
    const page = { kind: "page", type: "BASIC", path: "/p", content: "", contentType: "XML" } as const;
    const items: Item[] = [
      redirect(1, "BASIC", "/a"),
      redirect(2, "BASIC", "/a", "/u"),
      redirect(3, "REGEX", "^/b$"),
      redirect(4, "REGEX", "^/b$", "/u"),
      redirect(5, "REGEX_HOST", "^/b$", "//h/"),
      { id: 6, ...page },
      { id: 7, ...page },
    ];
    const warned = checkRules(items).filter(({ code }) => code.endsWith("_REPEATED"));
    expect(warned.map(({ itemId }) => itemId)).toEqual([1, 4, 6]);
    const rules = compileRules(items);
    expect(rules.match("h", "/a")?.item.id).toBe(2);
    expect(rules.match("h", "/b")?.item.id).toBe(3);
    expect(rules.match("h", "/p")?.item.id).toBe(7);
  });

  it("tells of patterns whose order is open in Go: of one length, among more than twelve", () => {
    const nested = Array.from({ length: 13 }, (_, index) =>
      redirect(index + 1, "REGEX", `^/a${"a".repeat(index)}`),
    );
    const open = (items: readonly Item[]): (number | undefined)[] =>
      checkRules(items)
        .filter(({ code }) => code === "ORDER_OPEN_IN_FLECTO")
        .map(({ itemId }) => itemId);
    expect(open(nested)).toEqual([]);
    expect(open([...nested, redirect(20, "REGEX", "^/aa{2}$")])).toEqual([6, 20]);
    expect(open([...nested.slice(0, 11), redirect(20, "REGEX", "^/aa{2}$")])).toEqual([]);
    expect(open([...nested, redirect(20, "REGEX", "^/bb{2}$")])).toEqual([]);
  });

  it("warns of every pattern that a Go agent would miss", () => {
    const piece = fc.constantFrom(
      ...[
        "/",
        "/a",
        "a",
        "b",
        "(a|ab)",
        "(?i:a)",
        "(?i)",
        "[aA]",
        "(/b)",
        "(a.*)",
        "(b+)?",
        ".*",
        "^",
        "$",
        "|",
        "\\A",
        "(?:a|b)",
        "[^/]+",
        "a?",
        "(?P<n>b)",
      ],
    );
    const pattern = fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join(""));
    const uri = fc
      .array(fc.constantFrom("/", "a", "b", "A", "B"), { maxLength: 5 })
      .map((pieces) => `/${pieces.join("")}`);
    let differed = 0;
    fc.assert(
      fc.property(pattern, fc.array(uri, { minLength: 12, maxLength: 12 }), (source, uris) => {
        const item = redirect(1, "REGEX", source);
        const [plain, flecto] = [undefined, "flecto" as const].map((compat) =>
          compileRules([item], { compat, clock: () => 0 }),
        );
        if (plain?.redirects === 0) return;
        const isDifferent = uris.some(
          (one) => (plain?.match("h", one) !== undefined) !== (flecto?.match("h", one) !== undefined),
        );
        if (!isDifferent) return;
        differed += 1;
        expect(checkRedirect(item).map(({ code }) => code)).toContain("PATTERN_MISSED_BY_FLECTO");
      }),
      { numRuns: Number(process.env.RUNS ?? 2000) },
    );
    expect(differed).toBeGreaterThan(5);
  });
});
