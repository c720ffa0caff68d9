import { type Item, type RedirectItem, redirectStatuses } from "@posthouse/protocol";
import { compileRules, createRuleSetBuilder, type RuleSet } from "@posthouse/rules";
import fc from "fast-check";
import { RE2JS } from "re2js";
import { describe, expect, it } from "vitest";

const path = fc.constantFrom("/a", "/b", "/a/b", "/a?x=1", "/ab/c", "/", "/a/12", "/b/34/x");
const host = fc.constantFrom("h.example", "www.h.example", "h.example:81");
const pattern = fc.constantFrom(
  ...[
    "^/a",
    "/a",
    "^/(.*)$",
    "^/a/(\\d+)$",
    "/b/(\\d+)",
    "(/a)(.*)",
    "[a-z]+",
    "^/(a|ab)/(.*)$",
    "/a|/b",
    "(?i)/A/B",
  ],
  ...["^h\\.example/(.*)$", "h.example", "(www\\.)?h.example/a", "^/(en|es)", "(", "a**", ""],
);
const item = (id: number): fc.Arbitrary<Item> =>
  fc.oneof(
    fc.record({
      id: fc.constant(id),
      kind: fc.constant("redirect" as const),
      type: fc.constant("BASIC" as const),
      source: path,
      target: fc.constant(`/t${id}`),
      status: fc.constant("FOUND" as const),
    }),
    fc.tuple(host, path).map(
      ([name, uri]): Item => ({
        id,
        kind: "redirect",
        type: "BASIC_HOST",
        source: name + uri,
        target: `https://t${id}/`,
        status: "MOVED_PERMANENT",
      }),
    ),
    fc.tuple(fc.constantFrom("REGEX", "REGEX_HOST"), pattern).map(
      ([type, source]): Item => ({
        id,
        kind: "redirect",
        type: type as "REGEX",
        source,
        target: `/t${id}/$1-$2`,
        status: "PERMANENT_REDIRECT",
      }),
    ),
    path.map(
      (uri): Item => ({
        id,
        kind: "page",
        type: "BASIC",
        path: uri,
        content: `page ${id}`,
        contentType: "TEXT_PLAIN",
      }),
    ),
    fc.tuple(host, path).map(
      ([name, uri]): Item => ({
        id,
        kind: "page",
        type: "BASIC_HOST",
        path: name + uri,
        content: `page ${id}`,
        contentType: "XML",
      }),
    ),
  );
const items = fc
  .uniqueArray(fc.constantFrom(1, 2, 3, 4, 5, 6, 255, 256, 257, 700, 100_000, 4_294_967_295), {
    maxLength: 10,
  })
  .chain((ids) => fc.tuple(...ids.map(item)));
const requests = fc.array(fc.tuple(host, path), { minLength: 6, maxLength: 6 });

describe("a RuleSet", () => {
  it.each([undefined, "flecto" as const])(
    "answers as trying every rule in turn does (compat: %s)",
    (compat) => {
      fc.assert(
        fc.property(items, requests, (all, tried) => {
          const ruleSet = compileRules(all, { compat, clock: () => 0 });
          for (const [name, uri] of tried)
            expect(describeMatch(ruleSet, name, uri)).toBe(tryInTurn(all, name, uri, compat));
        }),
        { numRuns: Number(process.env.RUNS ?? 500) },
      );
    },
  );

  it("changed by a builder equals the whole compiled, and its base stays as it was", () => {
    const compat = fc.constantFrom(undefined, "flecto" as const);
    fc.assert(
      fc.property(
        items,
        items,
        fc.array(fc.constantFrom(1, 2, 255, 256, 700)),
        requests,
        compat,
        (old, put, gone, tried, mode) => {
          const base = compileRules(old, { compat: mode });
          const before = describeAll(base, tried);
          const builder = createRuleSetBuilder({ compat: mode }, base);
          for (const one of put) builder.put(one);
          for (const id of gone) builder.delete(id);
          const changed = builder.build();
          const rest = new Map([...old, ...put].map((one) => [one.id, one]));
          for (const id of gone) rest.delete(id);
          expect(describeAll(changed, tried)).toEqual(
            describeAll(compileRules(rest.values(), { compat: mode }), tried),
          );
          builder.put({
            id: 1,
            kind: "page",
            type: "BASIC",
            path: "/a",
            content: "later",
            contentType: "XML",
          });
          builder.build();
          expect(describeAll(base, tried)).toEqual(before);
          expect(describeAll(changed, tried)).toEqual(
            describeAll(compileRules(rest.values(), { compat: mode }), tried),
          );
        },
      ),
      { numRuns: Number(process.env.RUNS ?? 500) },
    );
  });

  it("leaves out what cannot be matched, and says why", () => {
    const ruleSet = compileRules([redirect(1, "REGEX", "^/a(", "/x"), redirect(2, "BASIC", "/a", "/b")]);
    expect(ruleSet.redirects).toBe(1);
    expect(ruleSet.problems).toMatchObject([
      { code: "PATTERN_INVALID", itemId: 1, severity: "error", position: 3 },
    ]);
    expect([...ruleSet.items()].map(({ id }) => id)).toEqual([1, 2]);
    expect(ruleSet.get(1)?.id).toBe(1);
  });

  it("refuses a base of other options", () => {
    const base = compileRules([], { compat: "flecto" });
    expect(() => createRuleSetBuilder({}, base)).toThrow(
      expect.objectContaining({ code: "RULE_SET_FOREIGN" }),
    );
  });

  it("bounds the regex stage by the length of the URI and by time", () => {
    let now = 0;
    const clock = (): number => (now += 3);
    const rules = Array.from({ length: 10 }, (_, index) =>
      redirect(index + 1, "REGEX", `^/a.{${index}}$`, `/${index + 1}`),
    );
    const late = compileRules(rules, { clock });
    late.match("h", `/a${"x".repeat(9)}`);
    const before = late.counters.regexTimeouts;
    expect(late.match("h", `/a${"x".repeat(9)}`)).toBeUndefined();
    expect(late.counters.regexTimeouts).toBe(before + 1);
    expect(late.match("h", "/axx")).toMatchObject({ item: { id: 3 } });
    const patient = compileRules(rules, { clock, regexTimeMs: 100 });
    expect(patient.match("h", `/a${"x".repeat(9)}`)).toMatchObject({ item: { id: 10 } });
    for (const compat of [undefined, "flecto" as const]) {
      const bounded = compileRules([...rules, redirect(99, "REGEX", "(a{1,30}b?){1,30}", "/x")], { compat });
      expect(bounded.match("h", `/a${"x".repeat(2048)}`)).toBeUndefined();
      expect(bounded.counters.uriTooLong).toBe(1);
      expect(bounded.problems).toMatchObject([{ code: "PATTERN_TOO_COSTLY", itemId: 99 }]);
    }
  });

  it("passes over a rule whose capture would choose the host", () => {
    const rules = [
      redirect(1, "REGEX", "^/to/(.*)$", "https://good.example$1"),
      redirect(2, "REGEX", "^/", "/2"),
    ];
    const ruleSet = compileRules(rules);
    expect(ruleSet.match("h", "/to//x")).toMatchObject({ item: { id: 1 }, target: "https://good.example/x" });
    expect(ruleSet.match("h", "/to/@evil.example/")).toMatchObject({ item: { id: 2 } });
    expect(ruleSet.counters.targetsRefused).toBe(1);
    const flecto = compileRules(rules, { compat: "flecto" });
    expect(flecto.match("h", "/to/@evil.example/")).toMatchObject({ item: { id: 1 } });
  });
});

function redirect(id: number, type: RedirectItem["type"], source: string, target: string): RedirectItem {
  return { id, kind: "redirect", type, source, target, status: "FOUND" };
}

function describeMatch(ruleSet: RuleSet, name: string, uri: string): string {
  const match = ruleSet.match(name, uri);
  if (match === undefined) return "nothing";
  return match.kind === "page"
    ? `${match.item.id} ${match.content}`
    : `${match.item.id} ${match.status} ${match.target}`;
}

function describeAll(ruleSet: RuleSet, tried: readonly (readonly [string, string])[]): unknown {
  return [
    tried.map(([name, uri]) => describeMatch(ruleSet, name, uri)),
    [...ruleSet.items()],
    ruleSet.problems,
    ruleSet.redirects,
    ruleSet.pages,
  ];
}

/** What a request must start with for a pattern to be tried: what every match starts with, unless it is anchored. */
const literalStarts: Record<string, string> = {
  "/a": "/a",
  "/b/(\\d+)": "/b/",
  "(/a)(.*)": "/a",
  "h.example": "h",
  "/a|/b": "/",
};
/** Under what Flecto keeps a pattern. */
const flectoStarts: Record<string, string> = {
  ...literalStarts,
  "^/a": "/a",
  "^/(.*)$": "/",
  "^/a/(\\d+)$": "/a/",
  "^/(a|ab)/(.*)$": "/a/",
  "(?i)/A/B": "/A/B",
  "^h\\.example/(.*)$": "h.example/",
  "^/(en|es)": "/e",
};

function tryInTurn(all: readonly Item[], name: string, uri: string, compat: "flecto" | undefined): string {
  const byId = [...all].sort((a, b) => a.id - b.id);
  const redirects = byId.filter((one) => one.kind === "redirect");
  const pages = byId.filter((one) => one.kind === "page");
  const exact =
    redirects.findLast(({ type, source }) => type === "BASIC_HOST" && source === name + uri) ??
    redirects.findLast(({ type, source }) => type === "BASIC" && source === uri);
  if (exact !== undefined) return `${exact.id} ${redirectStatuses[exact.status]} ${exact.target}`;
  const starts = compat === "flecto" ? flectoStarts : literalStarts;
  const startOf = ({ source }: RedirectItem): string => starts[source] ?? "";
  const rankOf = (rule: RedirectItem): number => startOf(rule).length || Number.POSITIVE_INFINITY;
  const found = compat === "flecto" ? redirects.toSorted((a, b) => rankOf(a) - rankOf(b) || 0) : redirects;
  const longest = found.toSorted((a, b) => b.source.length - a.source.length);
  for (const type of ["REGEX_HOST", "REGEX"]) {
    const text = type === "REGEX" ? uri : name + uri;
    for (const rule of longest) {
      if (rule.type !== type || rule.source === "(" || rule.source === "a**") continue;
      const captures = text.startsWith(startOf(rule)) ? RE2JS.compile(rule.source).exec(text) : null;
      if (captures === null) continue;
      const groups = captures.length - 1;
      const two = groups < 2 ? rule.target : rule.target.replaceAll("$2", captures[2] ?? "");
      const target = groups < 1 ? two : two.replaceAll("$1", captures[1] ?? "");
      return `${rule.id} ${redirectStatuses[rule.status]} ${target}`;
    }
  }
  const page =
    pages.findLast(({ type, path: key }) => type === "BASIC_HOST" && key === name + uri) ??
    pages.findLast(({ type, path: key }) => type === "BASIC" && key === uri);
  return page === undefined ? "nothing" : `${page.id} ${page.content}`;
}
