import type { Page, Redirect } from "@posthouse/protocol";

/** What is wrong, or doubtful, with one entry. `line` counts from 1. */
export interface RuleFileError {
  readonly line: number;
  readonly message: string;
  /** A problem's code, or a row's reason, or ENTRY_INVALID, LINE_NOT_OFFERED. */
  readonly code: string;
  readonly field?: string;
  /** Offset in that field's text, in UTF-16 units. */
  readonly position?: number;
  readonly hint?: string;
}

/** One entry of a file of rules, wherever it came from. */
export type Entry = { readonly line: number } & (
  | { readonly redirect: Redirect }
  | { readonly page: Page }
  | { readonly error: Omit<RuleFileError, "line"> }
);
