import type { CharSet } from "./char-set.ts";

/**
 * The tree of an RE2 pattern, in the shape that Go's parser gives it: alternatives are factored, classes of one
 * character are literals, so that prefixes found in it are those that Go finds.
 */
export type PatternNode =
  | LiteralNode
  | ClassNode
  | CaptureNode
  | RepeatNode
  | { readonly op: "empty" }
  | { readonly op: "assert"; readonly kind: AssertKind }
  | { readonly op: "concat"; readonly subs: readonly PatternNode[] }
  | { readonly op: "alternate"; readonly subs: readonly PatternNode[] };

type AssertKind = "textStart" | "textEnd" | "lineStart" | "lineEnd" | "word" | "notWord";

/** `fold`: compared without regard to case; `points` are then the smallest of their case variants. */
export interface LiteralNode {
  readonly op: "literal";
  readonly points: readonly number[];
  readonly fold: boolean;
}

/** One character. Without `set` its characters come from a Unicode table that only the engine knows. */
export interface ClassNode {
  readonly op: "class";
  readonly set: CharSet | undefined;
  readonly dot: boolean;
  /** Tells tables apart. */
  readonly key: string;
}

interface CaptureNode {
  readonly op: "capture";
  readonly index: number;
  readonly sub: PatternNode;
}

/** `max` may be Infinity. */
interface RepeatNode {
  readonly op: "repeat";
  readonly sub: PatternNode;
  readonly min: number;
  readonly max: number;
  readonly lazy: boolean;
}

export const emptyNode: PatternNode = { op: "empty" };

export function isSingleCharacter(node: PatternNode): node is LiteralNode | ClassNode {
  return node.op === "class" || (node.op === "literal" && node.points.length === 1);
}

/** Tells whether two trees are the same. */
export function isSameNode(left: PatternNode, right: PatternNode): boolean {
  return left.op === right.op && describeNode(left) === describeNode(right);
}

function describeNode(node: PatternNode): string {
  return JSON.stringify(node, (_key, value) => (value === Number.POSITIVE_INFINITY ? -1 : value));
}
