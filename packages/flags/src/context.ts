import type { Report } from "./problem.ts";

/** What evaluation itself could not do, since the FlagSet was made. Such a condition is false. */
export interface FlagCounters {
  /** A value was too long for a pattern that is costly. */
  valuesTooLong: number;
  /** A pattern that was read could not be run. */
  patternsFailed: number;
}

/** What compiling one flag or segment needs. */
export interface CompileContext {
  readonly report: Report;
  readonly counters: FlagCounters;
}

export function createCounters(): FlagCounters {
  return { valuesTooLong: 0, patternsFailed: 0 };
}
