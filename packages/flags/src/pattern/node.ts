import type { UnitSet } from "./unit-set.ts";

/** The tree of a .NET pattern, as far as it can be run in linear time. Groups and captures make no difference. */
export type PatternNode =
  | { readonly op: "set"; readonly set: UnitSet }
  | { readonly op: "assert"; readonly kind: AssertKind }
  | { readonly op: "concat" | "alternate"; readonly subs: readonly PatternNode[] }
  | RepeatNode;

/** `finalEnd`: at the end, or before a newline that is the last character; .NET's `$` and `\Z`. */
export type AssertKind = "textStart" | "textEnd" | "finalEnd" | "lineStart" | "lineEnd" | "word" | "notWord";

/** `max` may be Infinity. */
interface RepeatNode {
  readonly op: "repeat";
  readonly sub: PatternNode;
  readonly min: number;
  readonly max: number;
  readonly isLazy: boolean;
}

/** Why a pattern is refused, and where, in UTF-16 units. */
export class PatternProblem extends Error {
  override readonly name = "PatternProblem";
  readonly code: "PATTERN_INVALID" | "PATTERN_UNSUPPORTED" | "PATTERN_TOO_COSTLY";
  readonly position: number;
  constructor(code: PatternProblem["code"], reason: string, position: number) {
    super(reason);
    this.code = code;
    this.position = position;
  }
}

/** Steps that an engine's program has, roughly. */
export function sizeOf(node: PatternNode): number {
  if (node.op === "concat") return node.subs.reduce((sum, sub) => sum + sizeOf(sub), 0);
  if (node.op === "alternate") return node.subs.reduce((sum, sub) => sum + sizeOf(sub) + 1, 0);
  if (node.op !== "repeat") return 1;
  const copies = node.max === Number.POSITIVE_INFINITY ? Math.max(node.min, 1) : node.max;
  return copies * (sizeOf(node.sub) + 1) + 1;
}

/** Every set and every kind of assertion in a tree. */
export function collect(
  node: PatternNode,
  sets: Set<UnitSet> = new Set(),
  asserts: Set<AssertKind> = new Set(),
): { sets: Set<UnitSet>; asserts: Set<AssertKind> } {
  if (node.op === "set") sets.add(node.set);
  else if (node.op === "assert") asserts.add(node.kind);
  else if (node.op === "repeat") collect(node.sub, sets, asserts);
  else for (const sub of node.subs) collect(sub, sets, asserts);
  return { sets, asserts };
}
