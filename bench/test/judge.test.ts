import { describe, expect, it } from "vitest";
import { formatTable, judge, missingCases } from "../judge.ts";

const budgets = { redirects: { agent: { "CPU µs per request": 2.2 } } };
const measured = { case: "agent", metric: "CPU µs per request", ours: 20, peer: 10, ratio: 2 };

describe("budgets", () => {
  it("hold up to their ratio and not above it", () => {
    expect(judge(budgets, "redirects", { ...measured, ratio: 2.2 })).toMatchObject({ budget: 2.2, ok: true });
    expect(judge(budgets, "redirects", { ...measured, ratio: 2.21 })).toMatchObject({
      budget: 2.2,
      ok: false,
    });
  });

  it("are missed by a ratio that is no number", () => {
    expect(judge(budgets, "redirects", { ...measured, ratio: Number.NaN }).ok).toBe(false);
  });

  it("do not concern other metrics, cases and benches", () => {
    expect(judge(budgets, "redirects", { ...measured, metric: "RSS MiB", ratio: 9 })).toMatchObject({
      budget: null,
      ok: true,
    });
    expect(judge(budgets, "pages", { ...measured, ratio: 9 })).toMatchObject({ budget: null, ok: true });
  });

  it("whose case was not measured are told", () => {
    expect(missingCases(budgets, "redirects", [measured])).toEqual([]);
    expect(missingCases(budgets, "redirects", [{ ...measured, case: "renamed" }])).toEqual([
      "agent: CPU µs per request",
    ]);
  });
});

describe("the table", () => {
  it("marks what missed", () => {
    const [, line] = formatTable([judge(budgets, "redirects", { ...measured, ratio: 3 })]).split("\n");
    expect(line).toMatch(/agent +CPU µs per request +20\.0 +10\.0 +3\.00 +≤ 2\.2 +MISSED/);
  });
});
