import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type BenchCase, BenchSkipped } from "../bench.ts";
import { createEventsBench } from "../events.bench.ts";
import { missingCases } from "../judge.ts";

it("the events bench yields a case for every budget, at any size", { timeout: 180_000 }, async () => {
  const cases: BenchCase[] = [];
  const context = { data: undefined, rounds: 1, progress: () => {} };
  const redirects = { events: 3000, seconds: 1, isLasting: false };
  const bench = createEventsBench({ events: 3000, redisPerSecond: 1500, redisSeconds: 2, redirects });
  try {
    for await (const one of bench.run(context)) cases.push(one);
  } catch (error) {
    if (!(error instanceof BenchSkipped)) throw error;
    console.warn(`NOT TESTED: ${error.message}`);
    return;
  }
  const budgets = JSON.parse(await readFile(join(import.meta.dirname, "..", "budgets.json"), "utf8"));
  expect(missingCases(budgets, "events", cases)).toEqual([]);
  expect(cases.filter(({ ours, ratio }) => !Number.isFinite(ours) || !Number.isFinite(ratio))).toEqual([]);
});
