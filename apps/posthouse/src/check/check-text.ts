import type { FoundProblem, RuleCheck } from "./rule-check.ts";

const shown = 50;

/** What `check` prints about a rule file: the first problems with their places, then how many of each code. */
export function checkText({ file, redirects, pages, problems }: RuleCheck): string {
  const lines: string[] = [];
  const told = new Set<string>();
  for (const problem of firstProblems(problems)) {
    const { place, severity, code, field, message, hint } = problem;
    const what = field === undefined || message.startsWith(`${field}:`) ? message : `${field}: ${message}`;
    lines.push(`${file}:${place.line}:${place.column}  ${severity}  ${what} [${code}]`);
    if (hint !== undefined && !told.has(code)) lines.push(`    ${hint}`);
    told.add(code);
  }
  if (problems.length > shown) lines.push(`and ${number(problems.length - shown)} more`);
  if (problems.length > 1) lines.push("", ...codeLines(problems), "");
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const of = `${count(redirects, "redirect")} and ${count(pages, "page")}`;
  lines.push(
    problems.length === 0
      ? `${file}: ${of}, no problem found`
      : `${file}: ${count(errors, "error")} and ${count(problems.length - errors, "warning")} in ${of}`,
  );
  return `${lines.join("\n")}\n`;
}

/** Errors before warnings, otherwise in the order of the file. */
function firstProblems(problems: readonly FoundProblem[]): readonly FoundProblem[] {
  const errors = problems.filter(({ severity }) => severity === "error");
  const warnings = problems.filter(({ severity }) => severity !== "error");
  return [...errors, ...warnings].slice(0, shown);
}

function codeLines(problems: readonly FoundProblem[]): string[] {
  const counts = new Map<string, number>();
  for (const { severity, code } of problems) {
    const key = `${severity.padEnd(7)}  ${code}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const rows = [...counts].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const width = Math.max(...rows.map(([, total]) => number(total).length));
  return rows.map(([key, total]) => `${number(total).padStart(width)}  ${key}`);
}

const number = (value: number): string => value.toLocaleString("en");

function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
}
