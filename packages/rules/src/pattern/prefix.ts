import type { PatternNode } from "./node.ts";

/**
 * The text that every match begins with. An assertion of the text's start is passed over, since it only says so.
 * Letters that are compared without regard to case end it.
 */
export function findPrefix(root: PatternNode): string {
  return walk(root).text;
}

function walk(node: PatternNode): { text: string; whole: boolean } {
  if (node.op === "literal") {
    return node.fold
      ? { text: "", whole: false }
      : { text: String.fromCodePoint(...node.points), whole: true };
  }
  if (node.op === "capture") return walk(node.sub);
  if (node.op === "empty") return { text: "", whole: true };
  if (node.op === "assert") return { text: "", whole: node.kind === "textStart" };
  if (node.op !== "concat") return { text: "", whole: false };
  let text = "";
  for (const sub of node.subs) {
    if (text !== "" && sub.op === "assert") return { text, whole: false };
    const next = walk(sub);
    text += next.text;
    if (!next.whole) return { text, whole: false };
  }
  return { text, whole: true };
}

/**
 * The text under which Flecto's Go agents keep a pattern, and without which they do not try it. It is often wrong: a
 * group gives the text it begins with and the walk goes on behind it, and letters without regard to case are given as
 * their smallest variant.
 */
export function findFlectoPrefix(root: PatternNode): string {
  if (root.op === "literal") return String.fromCodePoint(...root.points);
  if (root.op === "capture") return findFlectoPrefix(root.sub);
  if (root.op !== "concat") return "";
  let text = "";
  for (const sub of root.subs) {
    if (sub.op !== "literal" && sub.op !== "capture") break;
    const next = findFlectoPrefix(sub);
    if (next === "") break;
    text += next;
  }
  return text;
}
