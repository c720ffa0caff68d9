import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { BenchCase } from "../bench.ts";
import { missingCases } from "../judge.ts";
import { createSpoolBench } from "../spool.bench.ts";

it("the spool bench yields a case for every budget, at any size", async () => {
  const cases: BenchCase[] = [];
  const context = { data: undefined, rounds: 1, progress: () => {} };
  for await (const one of createSpoolBench({ records: 2500, inFlight: 1000 }).run(context)) cases.push(one);
  const budgets = JSON.parse(await readFile(join(import.meta.dirname, "..", "budgets.json"), "utf8"));
  expect(missingCases(budgets, "spool", cases)).toEqual([]);
  expect(cases.filter(({ ours, ratio }) => !Number.isFinite(ours) || !Number.isFinite(ratio))).toEqual([]);
});
