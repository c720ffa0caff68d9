import { type Cursor, invalid, takeText, unsupported } from "./cursor.ts";
import { takeCategory, takeCharacterEscape } from "./escape-parser.ts";
import { createUnitSet, foldUnits, negateUnits, type UnitSet } from "./unit-set.ts";

/**
 * `[…]`: the cursor stands behind the bracket. As in .NET, `-[` behind anything is a subtraction, a category never
 * begins or ends a range, `\-` never begins one, and case is ignored for characters and ranges only.
 */
export function parseClass(cursor: Cursor, ignoreCase: boolean): UnitSet {
  const start = cursor.at - 1;
  const { text } = cursor;
  const isNegated = takeText(cursor, "^");
  const characters: number[] = [];
  const categories: number[] = [];
  let from: number | undefined;
  for (let isFirst = true; ; isFirst = false) {
    if (cursor.at >= text.length) throw invalid("the closing ] is missing", start);
    if (!isFirst && takeText(cursor, "]")) break;
    const at = cursor.at;
    let isEscaped = false;
    let unit: number;
    if (text[at] === "\\") {
      cursor.at += 1;
      const category = takeCategory(cursor);
      if (category !== undefined) {
        if (from !== undefined) throw invalid("a range ends in a category", at);
        for (const bound of category) categories.push(bound);
        continue;
      }
      if (from === undefined && takeText(cursor, "-")) {
        characters.push(0x2d, 0x2d);
        continue;
      }
      isEscaped = true;
      unit = takeCharacterEscape(cursor);
    } else {
      unit = text.charCodeAt(at);
      cursor.at += 1;
    }
    const opens = !isEscaped && !isFirst;
    if (from !== undefined) {
      if (opens && text[at] === "[") throw unsupported("a class subtraction", at - 1);
      if (from > unit) throw invalid("a range runs backwards", at);
      characters.push(from, unit);
      from = undefined;
    } else if (text[cursor.at] === "-" && cursor.at + 1 < text.length && text[cursor.at + 1] !== "]") {
      from = unit;
      cursor.at += 1;
    } else if (opens && text[at] === "-" && text[cursor.at] === "[") {
      throw unsupported("a class subtraction", at);
    } else characters.push(unit, unit);
  }
  const listed = createUnitSet(characters);
  const set = createUnitSet([...(ignoreCase ? foldUnits(listed) : listed), ...categories]);
  return isNegated ? negateUnits(set) : set;
}
