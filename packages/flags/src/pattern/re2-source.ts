import type { AssertKind, PatternNode } from "./node.ts";
import type { UnitSet } from "./unit-set.ts";

/** How sets and the end before a final newline are written for RE2. */
export interface Dialect {
  readonly finalEnd: string;
  set(set: UnitSet): string;
}

const asserts: Readonly<Record<Exclude<AssertKind, "finalEnd">, string>> = {
  textStart: "\\A",
  textEnd: "\\z",
  lineStart: "(?m:^)",
  lineEnd: "(?m:$)",
  word: "\\b",
  notWord: "\\B",
};

/** Writes a tree in the syntax of RE2. */
export function formatPattern(node: PatternNode, dialect: Dialect): string {
  switch (node.op) {
    case "set":
      return dialect.set(node.set);
    case "assert":
      return node.kind === "finalEnd" ? dialect.finalEnd : asserts[node.kind];
    case "concat":
      return node.subs
        .map((sub) =>
          sub.op === "alternate" ? `(?:${formatPattern(sub, dialect)})` : formatPattern(sub, dialect),
        )
        .join("");
    case "alternate":
      return node.subs.map((sub) => formatPattern(sub, dialect)).join("|");
    case "repeat":
      return `(?:${formatPattern(node.sub, dialect)})${formatCount(node.min, node.max)}${node.isLazy ? "?" : ""}`;
  }
}

function formatCount(min: number, max: number): string {
  if (max !== Number.POSITIVE_INFINITY) return min === 0 && max === 1 ? "?" : `{${min},${max}}`;
  return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`;
}

/** Characters as a class, or as one literal: [first, last, …]. */
export function formatRanges(ranges: readonly number[]): string {
  if (ranges.length === 2 && ranges[0] === ranges[1]) return formatCharacter(ranges[0] as number);
  let inside = "";
  for (let at = 0; at < ranges.length; at += 2) {
    const [first, last] = [ranges[at] as number, ranges[at + 1] as number];
    inside += first === last ? formatCharacter(first) : `${formatCharacter(first)}-${formatCharacter(last)}`;
  }
  return `[${inside}]`;
}

function formatCharacter(point: number): string {
  const character = String.fromCharCode(point);
  return /[0-9A-Za-z]/.test(character) ? character : `\\x{${point.toString(16)}}`;
}
