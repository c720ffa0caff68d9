import type { PatternNode } from "./node.ts";

/** Steps of the program that RE2 makes of a tree; a little more than it really has. */
export function estimateProgramSize(root: PatternNode): number {
  return 2 + sizeOf(root);
}

function sizeOf(node: PatternNode): number {
  switch (node.op) {
    case "literal":
      return node.points.length;
    case "capture":
      return 2 + sizeOf(node.sub);
    case "concat":
      return node.subs.reduce((sum, sub) => sum + sizeOf(sub), 0);
    case "alternate":
      return node.subs.reduce((sum, sub) => sum + sizeOf(sub) + 1, -1);
    case "repeat": {
      const sub = sizeOf(node.sub);
      if (node.max === Number.POSITIVE_INFINITY) return Math.max(node.min, 1) * sub + 1;
      return node.max === 0 ? 1 : node.min * sub + (node.max - node.min) * (sub + 1);
    }
    default:
      return 1;
  }
}
