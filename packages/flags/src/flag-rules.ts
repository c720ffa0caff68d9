import { compileCondition, parseCondition } from "./condition.ts";
import type { CompileContext } from "./context.ts";
import { describeFailure, ruleSchema } from "./schema.ts";
import { compileSegmentCondition, type FlagCondition, isSegmentCondition } from "./segment-condition.ts";
import { compileServing, type ServingContext, type ServingPlan } from "./serving.ts";

/** One of a flag's rules: it serves those for whom all conditions hold. */
export interface RulePlan {
  readonly conditions: readonly FlagCondition[];
  readonly serving: ServingPlan;
}

/** Compiles a flag's rules. Those that never match are left out; `segmentIds` has also theirs. */
export function compileRules(
  inputs: readonly unknown[],
  path: string,
  serving: ServingContext,
  context: CompileContext,
): { readonly rules: readonly RulePlan[]; readonly segmentIds: ReadonlyMap<string, string> } {
  const segmentIds = new Map<string, string>();
  const rules: RulePlan[] = [];
  for (const [index, input] of inputs.entries()) {
    const at = `${path}[${index}]`;
    const rule = ruleSchema.safeParse(input);
    if (!rule.success) {
      const failure = describeFailure(at, rule.error);
      context.report("RULE_INVALID", failure.path, { reason: failure.reason });
      continue;
    }
    const conditions = compileConditions(rule.data.conditions, at, segmentIds, context);
    if (conditions === undefined) continue;
    rules.push({ conditions, serving: compileServing(rule.data, rule.data.name ?? "", serving) });
  }
  return { rules, segmentIds };
}

/** Undefined when one of the conditions is false for everybody. All are read, so that all problems are told. */
function compileConditions(
  inputs: readonly unknown[],
  path: string,
  segmentIds: Map<string, string>,
  context: CompileContext,
): readonly FlagCondition[] | undefined {
  const conditions = inputs.map((input, index) => {
    const at = `${path}.conditions[${index}]`;
    const shape = parseCondition(input, at, context);
    if (shape === undefined) return undefined;
    if (!isSegmentCondition(shape)) return compileCondition(shape, at, context);
    const condition = compileSegmentCondition(shape, at, context);
    for (const id of condition?.segmentIds ?? []) if (!segmentIds.has(id)) segmentIds.set(id, `${at}.value`);
    return condition?.holds;
  });
  return conditions.every((condition) => condition !== undefined) ? conditions : undefined;
}
