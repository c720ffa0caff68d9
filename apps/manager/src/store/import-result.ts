import type { TsvReason } from "@posthouse/rules";

export interface ImportError {
  /** Counts records: the header is 1, blank lines are not counted. */
  readonly line: number;
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  readonly reason: TsvReason | "SOURCE_ALREADY_EXISTS";
  readonly message: string;
}

/** Something doubtful about a row that was taken. */
export interface ImportWarning {
  readonly line: number;
  readonly source: string;
  readonly code: string;
  readonly message: string;
}

export interface ImportResult {
  readonly success: boolean;
  readonly totalLines: number;
  readonly importedCount: number;
  readonly skippedCount: number;
  /** Exact; `errors` holds the first thousand. */
  readonly errorCount: number;
  readonly errors: readonly ImportError[];
  /** Exact; `warnings` holds the first hundred. */
  readonly warningCount: number;
  readonly warnings: readonly ImportWarning[];
}

export const maxImportErrors = 1_000;
export const maxImportWarnings = 100;
/** Rows that Flecto's Manager checks against the project at a time; it decides in which order errors are listed. */
export const rowsPerChunk = 5_000;
