import {
  type Evaluation,
  evaluateFlag,
  type Flag,
  type FlagUser,
  type SegmentIndex,
  type ServedBy,
  servedBy,
} from "@posthouse/flags";

/** An evaluation as OFREP has it, ready to be sent. */
export interface OfrepEvaluation {
  readonly isSuccess: boolean;
  /** JSON. */
  readonly text: string;
}

const reasons: Readonly<Record<ServedBy, string>> = {
  archived: "DISABLED",
  disabled: "DISABLED",
  target: "TARGETING_MATCH",
  rule: "TARGETING_MATCH",
  split: "SPLIT",
  default: "DEFAULT",
  static: "STATIC",
  gap: "UNKNOWN",
};

const texts = new WeakMap<Flag, Map<Evaluation, OfrepEvaluation>>();

/**
 * Evaluates a flag for OFREP: its value in the type that the flag has, the variation's id as variant, and why. A value
 * that is not of that type is a PARSE_ERROR, so that the application uses its default, as FeatBit's SDKs do.
 */
export function evaluateForOfrep(flag: Flag, user: FlagUser, segments: SegmentIndex): OfrepEvaluation {
  const evaluation = evaluateFlag(flag, user, segments);
  let known = texts.get(flag);
  if (known === undefined) {
    known = new Map();
    texts.set(flag, known);
  }
  const same = known.get(evaluation);
  if (same !== undefined) return same;
  const made = describe(flag, evaluation);
  known.set(evaluation, made);
  return made;
}

function describe(flag: Flag, evaluation: Evaluation): OfrepEvaluation {
  const { key, variationType } = flag;
  const { variation, variationId, matchReason, sendToExperiment } = evaluation;
  const failure = (errorCode: string, errorDetails: string): OfrepEvaluation => ({
    isSuccess: false,
    text: JSON.stringify({ key, errorCode, errorDetails }),
  });
  if (variation === null) return failure("GENERAL", "the flag names a variation that it does not have");
  const value = parseValue(variation, variationType);
  if (value === undefined) return failure("PARSE_ERROR", `the variation's value is no ${variationType}`);
  return {
    isSuccess: true,
    text: JSON.stringify({
      key,
      reason: reasons[servedBy(flag, evaluation)],
      variant: variationId || undefined,
      metadata: { matchReason, variationType, sendToExperiment, updatedAt: flag.timestamp },
      value,
    }),
  };
}

/** The value of a variation; undefined when the text is none of that type. */
function parseValue(text: string, type: string): unknown {
  if (type === "boolean") {
    const lower = text.trim().toLowerCase();
    return lower === "true" || (lower === "false" ? false : undefined);
  }
  if (type === "number") {
    const number = Number(text);
    return text.trim() !== "" && Number.isFinite(number) ? number : undefined;
  }
  if (type !== "json") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
