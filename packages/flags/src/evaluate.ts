import type { Flag } from "./flag.ts";
import type { SegmentIndex } from "./segment.ts";
import type { FlagCondition } from "./segment-condition.ts";
import { type Evaluation, serve } from "./serving.ts";
import type { FlagUser } from "./user.ts";

/**
 * Evaluates a flag for a user in FeatBit's order (4.1): archived, disabled, targeted, first rule whose conditions all
 * hold, fallthrough. Never throws. The answer is shared; do not change it.
 */
export function evaluateFlag(flag: Flag, user: FlagUser, segments: SegmentIndex): Evaluation {
  const { fixed, targets, rules, fallthrough } = flag.plan;
  if (fixed !== undefined) return fixed;
  if (targets.size > 0) {
    const targeted = targets.get(user.keyId);
    if (targeted !== undefined) return targeted;
  }
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as (typeof rules)[number];
    if (holdAll(rule.conditions, user, segments)) return serve(rule.serving, user);
  }
  return serve(fallthrough, user);
}

function holdAll(conditions: readonly FlagCondition[], user: FlagUser, segments: SegmentIndex): boolean {
  for (let index = 0; index < conditions.length; index++) {
    if (!(conditions[index] as FlagCondition)(user, segments)) return false;
  }
  return true;
}
