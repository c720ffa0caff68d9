/** Why a pattern is refused, and where (in UTF-16 units). */
export class PatternSyntaxError extends Error {
  override readonly name = "PatternSyntaxError";
  readonly position: number;
  constructor(reason: string, position: number) {
    super(reason);
    this.position = position;
  }
}

/** A place in a text. */
export interface Cursor {
  readonly text: string;
  at: number;
}

export function createCursor(text: string): Cursor {
  return { text, at: 0 };
}

/** The code point at the cursor, or -1 at the end. */
export function peekPoint(cursor: Cursor): number {
  return cursor.text.codePointAt(cursor.at) ?? -1;
}

export function takePoint(cursor: Cursor): number {
  const point = peekPoint(cursor);
  cursor.at += point > 0xffff ? 2 : 1;
  return point;
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
