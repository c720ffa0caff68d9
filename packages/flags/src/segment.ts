import { compileCondition, parseCondition, type UserCondition } from "./condition.ts";
import type { CompileContext } from "./context.ts";
import { describeFailure, segmentRuleSchema, segmentSchema } from "./schema.ts";
import type { FlagUser } from "./user.ts";

/** A segment, compiled (4.4). Whether it is archived makes no difference. */
export interface Segment {
  readonly id: string;
  /** In lower case. */
  readonly envId: string;
  /** `updatedAt` in ms. */
  readonly timestamp: number;
  /** As it came, unknown fields and all: what server SDKs get. */
  readonly json: string;
  has(user: FlagUser): boolean;
}

/** Segments by id. */
export type SegmentIndex = ReadonlyMap<string, Segment>;

/** Compiles a segment. Undefined when it is broken, which is reported. */
export function compileSegment(input: unknown, path: string, context: CompileContext): Segment | undefined {
  const result = segmentSchema.safeParse(input);
  if (!result.success) {
    const failure = describeFailure(path, result.error);
    context.report("SEGMENT_INVALID", failure.path, { reason: failure.reason });
    return undefined;
  }
  const { id, envId, updatedAt, included, excluded, rules } = result.data;
  const inside = new Set(included ?? []);
  const outside = new Set(excluded ?? []);
  const compiled: (readonly UserCondition[])[] = [];
  for (const [index, rule] of (rules ?? []).entries()) {
    const conditions = compileRule(rule, `${path}.rules[${index}]`, context);
    if (conditions !== undefined) compiled.push(conditions);
  }
  return {
    id,
    envId: envId.toLowerCase(),
    timestamp: updatedAt,
    json: JSON.stringify(input),
    has(user) {
      if (outside.has(user.keyId)) return false;
      return (
        inside.has(user.keyId) || compiled.some((conditions) => conditions.every((holds) => holds(user)))
      );
    },
  };
}

/** Undefined for a rule that never matches. All of its conditions are read, so that all problems are told. */
function compileRule(
  input: unknown,
  path: string,
  context: CompileContext,
): readonly UserCondition[] | undefined {
  const result = segmentRuleSchema.safeParse(input);
  if (!result.success) {
    const failure = describeFailure(path, result.error);
    context.report("RULE_INVALID", failure.path, { reason: failure.reason });
    return undefined;
  }
  const conditions = result.data.conditions.map((condition, index) => {
    const at = `${path}.conditions[${index}]`;
    const shape = parseCondition(condition, at, context);
    return shape === undefined ? undefined : compileCondition(shape, at, context);
  });
  return conditions.every((condition) => condition !== undefined) ? conditions : undefined;
}
