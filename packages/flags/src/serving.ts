import { isWholeRange, rolloutOf } from "./rollout.ts";
import type { WireServing } from "./schema.ts";
import { isBlank } from "./text.ts";
import { createPropertyReader, type FlagUser, type PropertyReader } from "./user.ts";

/** What a user gets. Null where the flag is archived or names a variation that it does not have. */
export interface Evaluation {
  readonly variationId: string | null;
  readonly variation: string | null;
  readonly matchReason: string;
  readonly sendToExperiment: boolean;
}

/** A rule's or the fallthrough's variations, and how users are spread over them (4.5). */
export interface ServingPlan {
  readonly flagKey: string;
  readonly read: PropertyReader;
  readonly slices: readonly Slice[];
  /** For users whom no slice takes. */
  readonly gap: Evaluation;
}

interface Slice {
  /** Takes everybody, without a hash. */
  readonly isWhole: boolean;
  readonly min: number;
  readonly max: number;
  /** Users up to here are sent to the experiment: Infinity is everybody and -1 nobody, both without a hash. */
  readonly sentUpTo: number;
  readonly sent: Evaluation;
  readonly kept: Evaluation;
}

/** Finds a variation; nulls when there is none of this id. */
export function createEvaluation(
  values: ReadonlyMap<string, string>,
  variationId: string,
  matchReason: string,
  sendToExperiment: boolean,
): Evaluation {
  const variation = values.get(variationId);
  return variation === undefined
    ? { variationId: null, variation: null, matchReason, sendToExperiment }
    : { variationId, variation, matchReason, sendToExperiment };
}

/** What all of a flag's rules share. */
export interface ServingContext {
  readonly flagKey: string;
  /** Everybody is sent to the experiment. */
  readonly sendAll: boolean;
  /** Variations by id. */
  readonly values: ReadonlyMap<string, string>;
}

export function compileServing(
  serving: WireServing,
  reason: string,
  { flagKey, sendAll, values }: ServingContext,
): ServingPlan {
  const { dispatchKey, includedInExpt, variations } = serving;
  const slices: Slice[] = [];
  for (const { id, rollout, exptRollout } of variations) {
    const [min, max] = rollout;
    if (min === 0 && max === 0) continue;
    slices.push({
      isWhole: isWholeRange(min, max),
      min,
      max,
      sentUpTo: sendAll
        ? Number.POSITIVE_INFINITY
        : includedInExpt === true
          ? experimentBound(exptRollout ?? 0, max - min)
          : -1,
      sent: createEvaluation(values, id, reason, true),
      kept: createEvaluation(values, id, reason, false),
    });
  }
  return {
    flagKey,
    read: createPropertyReader(isBlank(dispatchKey) ? "keyId" : dispatchKey),
    slices,
    gap: { variationId: "", variation: "", matchReason: reason, sendToExperiment: sendAll },
  };
}

function experimentBound(share: number, width: number): number {
  if (share === 0 || width === 0) return -1;
  const bound = Math.min(share / width, 1);
  return isWholeRange(0, bound) ? Number.POSITIVE_INFINITY : bound;
}

/** Finds a user's slice: the first that takes the user's place, ends included. */
export function serve(plan: ServingPlan, user: FlagUser): Evaluation {
  const { slices } = plan;
  let dispatch: string | undefined;
  let place = -1;
  for (let index = 0; index < slices.length; index++) {
    const slice = slices[index] as Slice;
    if (!slice.isWhole) {
      if (place < 0) {
        dispatch = dispatchKeyOf(plan, user);
        place = rolloutOf(dispatch);
      }
      if (place < slice.min || place > slice.max) continue;
    }
    if (slice.sentUpTo === Number.POSITIVE_INFINITY) return slice.sent;
    if (slice.sentUpTo < 0) return slice.kept;
    dispatch ??= dispatchKeyOf(plan, user);
    return rolloutOf(`expt${dispatch}`) <= slice.sentUpTo ? slice.sent : slice.kept;
  }
  return plan.gap;
}

/** The flag's key and the user's value, with nothing between. */
function dispatchKeyOf({ flagKey, read }: ServingPlan, user: FlagUser): string {
  return flagKey + (read(user) ?? "");
}
