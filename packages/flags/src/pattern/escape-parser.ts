import { type Cursor, invalid, takeMatch } from "./cursor.ts";
import {
  categoryUnits,
  digitUnits,
  hasUnit,
  negateUnits,
  spaceUnits,
  type UnitSet,
  wordUnits,
} from "./unit-set.ts";

const categoryName = /^(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)$/;
const shorthands = { d: digitUnits, s: spaceUnits, w: wordUnits } as const;

/** `\d \D \s \S \w \W \p{…} \P{…}`: the cursor stands behind the backslash. Undefined when none stands here. */
export function takeCategory(cursor: Cursor): UnitSet | undefined {
  const start = cursor.at - 1;
  const letter = takeMatch(cursor, /[dswDSW]/y)?.[0];
  if (letter !== undefined) {
    const set = shorthands[letter.toLowerCase() as keyof typeof shorthands]();
    return letter === letter.toLowerCase() ? set : negateUnits(set);
  }
  const kind = takeMatch(cursor, /[pP]/y)?.[0];
  if (kind === undefined) return undefined;
  const name = takeMatch(cursor, /\{([^}]*)\}/y)?.[1];
  if (name === undefined || !categoryName.test(name))
    throw invalid("the Unicode category is not known", start);
  const set = categoryUnits(`\\p{${name}}`);
  return kind === "p" ? set : negateUnits(set);
}

const controls: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, e: 27 };

/** An escape of one character: the cursor stands behind the backslash. */
export function takeCharacterEscape(cursor: Cursor): number {
  const start = cursor.at - 1;
  const octal = takeMatch(cursor, /[0-7]{1,3}/y)?.[0];
  if (octal !== undefined) return Number.parseInt(octal, 8) & 0xff;
  const hex = takeMatch(cursor, /x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})/y);
  if (hex !== undefined) return Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
  const control = takeMatch(cursor, /c([@-_a-z])/y)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) - 0x40;
  const named = takeMatch(cursor, /[abtnvfre]/y)?.[0];
  if (named !== undefined) return controls[named] as number;
  const unit = cursor.text.charCodeAt(cursor.at);
  if (Number.isNaN(unit)) throw invalid("a backslash stands at the end", start);
  if (hasUnit(wordUnits(), unit)) throw invalid("the escape is not known", start);
  cursor.at += 1;
  return unit;
}
