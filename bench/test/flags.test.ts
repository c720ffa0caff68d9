import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BenchCase } from "../bench.ts";
import { createFlagsBench } from "../flags.bench.ts";
import { missingCases } from "../judge.ts";

describe("the flags bench", () => {
  it("yields a case for every budget, at any size", async () => {
    const cases: BenchCase[] = [];
    const context = { data: undefined, rounds: 1, progress: () => undefined };
    const bench = createFlagsBench({ flags: 100, users: 4000, repeats: 1 });
    for await (const one of bench.run(context)) cases.push(one);
    const budgets = JSON.parse(await readFile(join(import.meta.dirname, "..", "budgets.json"), "utf8"));
    expect(missingCases(budgets, "flags", cases)).toEqual([]);
    expect(cases.filter(({ ours, ratio }) => !Number.isFinite(ours) || !Number.isFinite(ratio))).toEqual([]);
  }, 60_000);
});
