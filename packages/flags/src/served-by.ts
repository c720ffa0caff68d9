import type { Flag } from "./flag.ts";
import type { Evaluation, ServingPlan } from "./serving.ts";

/**
 * What in a flag led to an evaluation: it is disabled or archived; it targets the user; a rule; a share of a rule's or
 * the fallthrough's percentages; the fallthrough for all whom no rule took, or for everybody (`static`); or percentages
 * that leave the user out (`gap`).
 */
export type ServedBy = "archived" | "disabled" | "target" | "rule" | "split" | "default" | "static" | "gap";

const known = new WeakMap<Flag, ReadonlyMap<Evaluation, ServedBy>>();

/** What led to this evaluation, which `evaluateFlag` gave for this flag. The reason on the wire does not say it. */
export function servedBy(flag: Flag, evaluation: Evaluation): ServedBy {
  let causes = known.get(flag);
  if (causes === undefined) {
    causes = new Map(causesOf(flag));
    known.set(flag, causes);
  }
  return causes.get(evaluation) ?? "default";
}

function* causesOf({ plan, isArchived }: Flag): Generator<readonly [Evaluation, ServedBy]> {
  const { fixed, targets, rules, fallthrough } = plan;
  if (fixed !== undefined) yield [fixed, isArchived ? "archived" : "disabled"];
  for (const evaluation of targets.values()) yield [evaluation, "target"];
  for (const { serving } of rules) yield* causesOfServing(serving, "rule");
  yield* causesOfServing(fallthrough, targets.size + rules.length === 0 ? "static" : "default");
}

function* causesOfServing(
  { slices, gap }: ServingPlan,
  whole: ServedBy,
): Generator<readonly [Evaluation, ServedBy]> {
  for (const { isWhole, sent, kept } of slices) {
    const cause = isWhole ? whole : "split";
    yield [sent, cause];
    yield [kept, cause];
  }
  yield [gap, "gap"];
}
