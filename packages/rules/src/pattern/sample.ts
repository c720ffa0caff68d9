import { setHas } from "./char-set.ts";
import type { PatternNode } from "./node.ts";

/** A short text that most likely matches, with `bait` where capture `group` stands. */
export function sampleText(node: PatternNode, group: number, bait: string): string {
  switch (node.op) {
    case "literal":
      return String.fromCodePoint(...node.points);
    case "class":
      return sampleCharacter(node.set);
    case "capture":
      return node.index === group ? bait : sampleText(node.sub, group, bait);
    case "concat":
      return node.subs.map((sub) => sampleText(sub, group, bait)).join("");
    case "alternate": {
      const chosen = node.subs.find((sub) => holdsGroup(sub, group)) ?? node.subs[0];
      return chosen === undefined ? "" : sampleText(chosen, group, bait);
    }
    case "repeat": {
      const times = holdsGroup(node.sub, group) ? Math.max(node.min, 1) : node.min;
      return sampleText(node.sub, group, bait).repeat(Math.min(times, 1000));
    }
    default:
      return "";
  }
}

function holdsGroup(node: PatternNode, group: number): boolean {
  if (node.op === "capture") return node.index === group || holdsGroup(node.sub, group);
  if (node.op === "repeat") return holdsGroup(node.sub, group);
  return (node.op === "concat" || node.op === "alternate") && node.subs.some((sub) => holdsGroup(sub, group));
}

function sampleCharacter(set: readonly number[] | undefined): string {
  if (set === undefined) return "a";
  for (const candidate of "a0A-_./") if (setHas(set, candidate.charCodeAt(0))) return candidate;
  return set[0] === undefined ? "" : String.fromCodePoint(set[0]);
}
