import type { Problem } from "@posthouse/rules";
import type { Log } from "@posthouse/service";

/** A problem with one rule of what is served, as `/status` shows it. */
export interface ServedProblem {
  readonly severity: Problem["severity"];
  readonly code: string;
  readonly message: string;
  readonly item?: number;
  /** Where the rule stands in its file. */
  readonly line?: number;
  readonly field?: string;
  readonly position?: number;
  readonly hint?: string;
}

export const shownProblems = 100;
const loggedProblems = 10;

/** The first problems, as they are shown. `lineOf` tells where an item stands in its file. */
export function describeProblems(
  problems: readonly Problem[],
  lineOf: (item: number) => number | undefined = () => undefined,
): ServedProblem[] {
  return problems.slice(0, shownProblems).map(({ itemId, ...problem }) => {
    const line = itemId === undefined ? undefined : lineOf(itemId);
    return { ...problem, ...(itemId !== undefined && { item: itemId }), ...(line !== undefined && { line }) };
  });
}

/** Writes the first of them to the log. */
export function logProblems(log: Log, problems: readonly ServedProblem[], count: number): void {
  for (const { message, severity, hint, ...fields } of problems.slice(0, loggedProblems)) {
    log.warn(fields, message);
  }
  if (count > loggedProblems) {
    log.warn({ problems: count }, "more rules have problems; /status shows the first of them");
  }
}
