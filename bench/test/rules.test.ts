import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BenchCase, BenchSkipped } from "../bench.ts";
import { missingCases } from "../judge.ts";
import { createRulesBench } from "../rules.bench.ts";

describe("the rules bench", () => {
  it("yields a case for every budget, at any size", async () => {
    const bench = createRulesBench({
      redirects: 400,
      swaps: 2,
      patterns: 100,
      patternRequests: 400,
      httpPatterns: 20,
      httpSeconds: 1,
      repeats: 1,
    });
    const said: string[] = [];
    const cases: BenchCase[] = [];
    const budgets = JSON.parse(await readFile(join(import.meta.dirname, "..", "budgets.json"), "utf8"));
    const context = { data: undefined, rounds: 1, progress: (text: string) => void said.push(text) };
    let isSkipped = false;
    try {
      for await (const one of bench.run(context)) cases.push(one);
    } catch (error) {
      if (!(error instanceof BenchSkipped)) throw error;
      isSkipped = true;
    }
    const missing = missingCases(budgets, "rules", cases);
    expect(missing).toEqual(isSkipped ? ["patterns over HTTP: CPU µs per request"] : []);
    expect(cases.filter(({ ours, ratio }) => !Number.isFinite(ours) || !Number.isFinite(ratio))).toEqual([]);
    expect(said.some((text) => text.startsWith("2 swaps: "))).toBe(true);
  }, 240_000);
});
