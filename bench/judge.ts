import type { BenchCase, JudgedCase } from "./bench.ts";

/** Greatest ratios by bench, case and metric. */
export type Budgets = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number>>>>>>;

/** A ratio that is no number (a peer that measured zero) misses any budget. */
export function judge(budgets: Budgets, bench: string, measured: BenchCase): JudgedCase {
  const budget = budgets[bench]?.[measured.case]?.[measured.metric] ?? null;
  return { ...measured, budget, ok: budget === null || measured.ratio <= budget };
}

/** Budgets of a bench for which it yielded no case: a renamed case must not lose its budget in silence. */
export function missingCases(budgets: Budgets, bench: string, cases: readonly BenchCase[]): string[] {
  const measured = new Set(cases.map((each) => `${each.case}: ${each.metric}`));
  return Object.entries(budgets[bench] ?? {})
    .flatMap(([name, metrics]) => Object.keys(metrics).map((metric) => `${name}: ${metric}`))
    .filter((name) => !measured.has(name));
}

/** The table that a person reads. */
export function formatTable(cases: readonly JudgedCase[]): string {
  const heads = ["case", "metric", "ours", "peer", "ratio", "budget", ""];
  const rows = cases.map((each) => [
    each.case,
    each.metric,
    formatFigure(each.ours),
    formatFigure(each.peer),
    each.ratio.toFixed(2),
    each.budget === null ? "-" : `≤ ${each.budget}`,
    each.budget === null ? "" : each.ok ? "ok" : "MISSED",
  ]);
  const widths = heads.map((head, column) =>
    Math.max(...[heads, ...rows].map((row) => (row[column] ?? head).length)),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd();
  return [heads, ...rows].map(line).join("\n");
}

function formatFigure(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : value.toPrecision(3);
}
