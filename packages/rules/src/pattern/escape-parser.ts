import { RE2JS } from "re2js";
import { type CharSet, createCharSet, foldSet, lastPoint, negateSet } from "./char-set.ts";
import { type Cursor, PatternSyntaxError, peekPoint, takeMatch, takePoint, takeText } from "./cursor.ts";

const controls: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };

/** `\x{e9}`, `\x41`, `\101`, `\n`, `\.`: one character. The cursor stands on the backslash. */
export function parseEscape(cursor: Cursor): number {
  const start = cursor.at;
  cursor.at += 1;
  const point = takePoint(cursor);
  if (point < 0) throw new PatternSyntaxError("a backslash stands at the end", start);
  const character = String.fromCodePoint(point);
  if (/[0-7]/.test(character)) {
    cursor.at -= 1;
    const octal = takeMatch(cursor, character === "0" ? /[0-7]{1,3}/y : /[0-7]{2,3}/y);
    if (octal !== undefined) return Number.parseInt(octal[0], 8);
    throw new PatternSyntaxError(`\\${character} (a backreference) is not offered`, start);
  }
  if (character === "x") {
    const hex = takeMatch(cursor, /\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2})/y);
    const value = hex === undefined ? Number.NaN : Number.parseInt(hex[1] ?? hex[2] ?? "", 16);
    if (value <= lastPoint) return value;
  }
  const control = Object.hasOwn(controls, character) ? controls[character] : undefined;
  if (control !== undefined) return control;
  if (point < 0x80 && !/[A-Za-z0-9]/.test(character)) return point;
  throw new PatternSyntaxError(`\\${character} is no escape of RE2`, start);
}

/** `undefined` set: known to the engine only. */
export interface ClassPart {
  readonly set: CharSet | undefined;
  readonly key: string;
}

const perlSets: Readonly<Record<string, CharSet>> = {
  d: [0x30, 0x39],
  s: [9, 10, 12, 13, 0x20, 0x20],
  w: [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a],
};

/** `\d \D \s \S \w \W`, `\pL`, `\p{Greek}`, `\P…`, `\p{^…}`; `undefined` when none stands here. */
export function parseClassEscape(cursor: Cursor, fold: boolean): ClassPart | undefined {
  const start = cursor.at;
  const perl = takeMatch(cursor, /\\([dswDSW])/y)?.[1];
  if (perl !== undefined)
    return namedPart(perlSets[perl.toLowerCase()] ?? [], perl !== perl.toLowerCase(), fold);
  if (!/^\\[pP]/.test(cursor.text.slice(start, start + 2))) return undefined;
  const table = takeMatch(cursor, /\\[pP](?:\{\^?([^}]*)\}|([^{]))/uy);
  const name = table?.[1] ?? table?.[2];
  if (table === undefined || name === undefined || !isUnicodeTable(name)) {
    throw new PatternSyntaxError("the name of the Unicode class is not known", start);
  }
  return { set: undefined, key: (fold ? "i" : "") + table[0] };
}

const posixSets: Readonly<Record<string, CharSet>> = {
  alnum: [0x30, 0x39, 0x41, 0x5a, 0x61, 0x7a],
  alpha: [0x41, 0x5a, 0x61, 0x7a],
  ascii: [0, 0x7f],
  blank: [9, 9, 0x20, 0x20],
  cntrl: [0, 0x1f, 0x7f, 0x7f],
  digit: [0x30, 0x39],
  graph: [0x21, 0x7e],
  lower: [0x61, 0x7a],
  print: [0x20, 0x7e],
  punct: [0x21, 0x2f, 0x3a, 0x40, 0x5b, 0x60, 0x7b, 0x7e],
  space: [9, 13, 0x20, 0x20],
  upper: [0x41, 0x5a],
  word: [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a],
  xdigit: [0x30, 0x39, 0x41, 0x46, 0x61, 0x66],
};

/** `[:alpha:]`, `[:^alpha:]` inside of a class. */
export function parsePosixClass(cursor: Cursor, fold: boolean): ClassPart | undefined {
  const start = cursor.at;
  if (!cursor.text.startsWith("[:", start)) return undefined;
  const end = cursor.text.indexOf(":]", start + 2);
  if (end < 0) return undefined;
  takeText(cursor, "[:");
  const negated = takeText(cursor, "^");
  const name = cursor.text.slice(cursor.at, end);
  const set = Object.hasOwn(posixSets, name) ? posixSets[name] : undefined;
  if (set === undefined) throw new PatternSyntaxError(`[:${name}:] is no class`, start);
  cursor.at = end + 2;
  return namedPart(set, negated, fold);
}

function namedPart(set: CharSet, negated: boolean, fold: boolean): ClassPart {
  const folded = fold ? (foldSet(set) ?? set) : set;
  return { set: createCharSet(negated ? negateSet(folded) : folded), key: "" };
}

const tables = new Map<string, boolean>();

function isUnicodeTable(name: string): boolean {
  const seen = tables.get(name);
  if (seen !== undefined) return seen;
  let known = /^[A-Za-z_]+$/.test(name);
  try {
    if (known) RE2JS.compile(`\\p{${name}}`);
  } catch {
    known = false;
  }
  if (tables.size < 1000) tables.set(name, known);
  return known;
}

/** Tells whether the cursor is at the end. */
export function isAtEnd(cursor: Cursor): boolean {
  return peekPoint(cursor) < 0;
}
