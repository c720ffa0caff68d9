import { caseVariants } from "./case-folding.ts";
import { type CharSet, exceptNewline, lastPoint } from "./char-set.ts";
import type { PatternNode } from "./node.ts";

/** Writes a tree as a JavaScript pattern for the flag `u`; only for trees that `isLinearForBacktracking` accepts. */
export function formatJavaScriptPattern(node: PatternNode): string {
  switch (node.op) {
    case "empty":
      return "(?:)";
    case "literal":
      return node.points.map((point) => formatPoint(point, node.fold)).join("");
    case "class":
      return formatClass(node.set ?? []);
    case "capture":
      return `(${formatJavaScriptPattern(node.sub)})`;
    case "assert":
      return { textStart: "^", textEnd: "$", word: "\\b", notWord: "", lineStart: "", lineEnd: "" }[
        node.kind
      ];
    case "concat":
      return node.subs.map(formatJavaScriptPattern).join("");
    case "alternate":
      return `(?:${node.subs.map(formatJavaScriptPattern).join("|")})`;
    case "repeat": {
      const { min, max } = node;
      const count =
        max === Number.POSITIVE_INFINITY ? `{${min},}` : min === max ? `{${min}}` : `{${min},${max}}`;
      return `(?:${formatJavaScriptPattern(node.sub)})${count}${node.lazy ? "?" : ""}`;
    }
  }
}

function formatPoint(point: number, fold: boolean): string {
  if (fold) {
    const variants = caseVariants(point);
    if (variants.length > 1) return formatClass(variants.flatMap((variant) => [variant, variant]));
  }
  const character = String.fromCodePoint(point);
  return /[A-Za-z0-9_\-~:;,=&%'"!@<> ]/.test(character)
    ? character.replace("-", "\\x2d")
    : escapePoint(point);
}

function formatClass(set: CharSet): string {
  if (set.length === 2 && set[0] === 0 && set[1] === lastPoint) return "[^]";
  if (set.length === exceptNewline.length && set.every((bound, at) => bound === exceptNewline[at]))
    return "[^\\n]";
  if (set[0] === 0 && set.at(-1) === lastPoint) {
    const gaps: number[] = [];
    for (let at = 1; at < set.length - 1; at += 2) gaps.push((set[at] ?? 0) + 1, (set[at + 1] ?? 0) - 1);
    return `[^${formatRanges(gaps)}]`;
  }
  return `[${formatRanges(set)}]`;
}

function formatRanges(set: CharSet): string {
  let text = "";
  for (let at = 0; at < set.length; at += 2) {
    const first = set[at] ?? 0;
    const last = set[at + 1] ?? 0;
    text += first === last ? escapePoint(first) : `${escapePoint(first)}-${escapePoint(last)}`;
  }
  return text;
}

const escapePoint = (point: number): string => `\\u{${point.toString(16)}}`;
