import { PatternProblem } from "./node.ts";

/** A place in a pattern. */
export interface Cursor {
  readonly text: string;
  at: number;
}

/** Options that `(?imsx)` sets; `n` makes no difference to whether a pattern matches. */
export interface PatternOptions {
  readonly ignoreCase: boolean;
  readonly multiline: boolean;
  readonly singleLine: boolean;
  readonly ignoreSpace: boolean;
}

export function takeText(cursor: Cursor, text: string): boolean {
  if (!cursor.text.startsWith(text, cursor.at)) return false;
  cursor.at += text.length;
  return true;
}

/** What a sticky expression finds at the cursor, which moves behind it. */
export function takeMatch(cursor: Cursor, sticky: RegExp): RegExpExecArray | undefined {
  sticky.lastIndex = cursor.at;
  const found = sticky.exec(cursor.text);
  if (found === null) return undefined;
  cursor.at += found[0].length;
  return found;
}

export function invalid(reason: string, position: number): PatternProblem {
  return new PatternProblem("PATTERN_INVALID", reason, position);
}

export function unsupported(reason: string, position: number): PatternProblem {
  return new PatternProblem("PATTERN_UNSUPPORTED", reason, position);
}
