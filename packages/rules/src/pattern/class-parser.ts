import { caseVariants } from "./case-folding.ts";
import { type CharSet, createCharSet, foldSet, negateSet } from "./char-set.ts";
import { type Cursor, PatternSyntaxError, takePoint, takeText } from "./cursor.ts";
import { type ClassPart, isAtEnd, parseClassEscape, parseEscape, parsePosixClass } from "./escape-parser.ts";
import type { PatternNode } from "./node.ts";

/** `[…]`. The cursor stands on the bracket. */
export function parseClass(cursor: Cursor, fold: boolean): PatternNode {
  const start = cursor.at;
  cursor.at += 1;
  const negated = takeText(cursor, "^");
  const ranges: number[] = [];
  let known = true;
  for (let first = true; first || !cursor.text.startsWith("]", cursor.at); first = false) {
    if (isAtEnd(cursor)) throw new PatternSyntaxError("the closing ] is missing", start);
    const part: ClassPart | undefined = parsePosixClass(cursor, fold) ?? parseClassEscape(cursor, fold);
    const set: CharSet | undefined = part === undefined ? parseRange(cursor, start, fold) : part.set;
    if (set === undefined) known = false;
    else for (const bound of set) ranges.push(bound);
  }
  cursor.at += 1;
  const key = known ? "" : `${fold ? "i" : ""}${cursor.text.slice(start, cursor.at)}`;
  if (!known) return { op: "class", set: undefined, dot: false, key };
  const set = createCharSet(ranges);
  return createClass(negated ? negateSet(set) : set);
}

function parseRange(cursor: Cursor, start: number, fold: boolean): CharSet | undefined {
  const at = cursor.at;
  const first = parseCharacter(cursor, start);
  let last = first;
  if (
    cursor.text[cursor.at] === "-" &&
    cursor.text[cursor.at + 1] !== "]" &&
    cursor.at + 1 < cursor.text.length
  ) {
    cursor.at += 1;
    last = parseCharacter(cursor, start);
    if (last < first) throw new PatternSyntaxError("the range runs backwards", at);
  }
  return fold ? foldSet([first, last]) : [first, last];
}

function parseCharacter(cursor: Cursor, start: number): number {
  if (isAtEnd(cursor)) throw new PatternSyntaxError("the closing ] is missing", start);
  return cursor.text[cursor.at] === "\\" ? parseEscape(cursor) : takePoint(cursor);
}

/** A class; of one character, or of one letter's case variants, a literal. */
export function createClass(set: CharSet): PatternNode {
  const first = set[0] ?? 0;
  if (set.length === 2 && first === set[1]) return { op: "literal", points: [first], fold: false };
  const size = set.length > 4 ? 3 : count(set);
  if (size === 2) {
    const variants = caseVariants(first);
    if (variants.length === 2 && variants[0] === first && variants[1] === set.at(-1)) {
      return { op: "literal", points: [first], fold: true };
    }
  }
  return { op: "class", set, dot: false, key: "" };
}

function count(set: CharSet): number {
  let size = 0;
  for (let at = 0; at < set.length; at += 2) size += (set[at + 1] ?? 0) - (set[at] ?? 0) + 1;
  return size;
}
