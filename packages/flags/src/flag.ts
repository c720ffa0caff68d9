import type { CompileContext } from "./context.ts";
import { compileRules, type RulePlan } from "./flag-rules.ts";
import { readPieces } from "./pieces.ts";
import { describeFailure, flagSchema, targetSchema, variationSchema } from "./schema.ts";
import { compileServing, createEvaluation, type Evaluation, type ServingPlan } from "./serving.ts";

/** One of a flag's values. */
export interface VariationOption {
  readonly id: string;
  readonly value: string;
}

/** A flag, compiled. `evaluateFlag` reads it. */
export interface Flag {
  readonly id: string;
  /** In lower case. */
  readonly envId: string;
  readonly key: string;
  readonly variationType: string;
  readonly variationOptions: readonly VariationOption[];
  /** `updatedAt` in ms. */
  readonly timestamp: number;
  readonly isArchived: boolean;
  /** Segments that its conditions name, with the place where each is named first. */
  readonly segmentIds: ReadonlyMap<string, string>;
  readonly plan: FlagPlan;
  /** As it came, unknown fields and all: what server SDKs get. */
  readonly json: string;
}

/** How a flag is evaluated. Every possible answer is made beforehand. */
interface FlagPlan {
  /** For everybody: the flag is archived or disabled. */
  readonly fixed: Evaluation | undefined;
  readonly targets: ReadonlyMap<string, Evaluation>;
  readonly rules: readonly RulePlan[];
  readonly fallthrough: ServingPlan;
}

/** Compiles a flag (4.1). Undefined when it is broken as a whole, which is reported, as is every broken piece. */
export function compileFlag(input: unknown, path: string, context: CompileContext): Flag | undefined {
  const result = flagSchema.safeParse(input);
  if (!result.success) {
    const failure = describeFailure(path, result.error);
    context.report("FLAG_INVALID", failure.path, { reason: failure.reason });
    return undefined;
  }
  const flag = result.data;
  const { report } = context;
  const variations = readPieces(flag.variations, `${path}.variations`, variationSchema, (at, values) =>
    report("VARIATION_INVALID", at, values),
  );
  const targets = readPieces(flag.targetUsers, `${path}.targetUsers`, targetSchema, (at, values) =>
    report("TARGET_INVALID", at, values),
  );
  const values = new Map<string, string>();
  for (const { id, value } of variations) if (!values.has(id)) values.set(id, value);
  const sendAll = flag.exptIncludeAllTargets === true;
  const targeted = new Map<string, Evaluation>();
  for (const { keyIds, variationId } of targets) {
    const evaluation = createEvaluation(values, variationId, "targeted", sendAll);
    for (const keyId of keyIds) if (!targeted.has(keyId)) targeted.set(keyId, evaluation);
  }
  const serving = { flagKey: flag.key, sendAll, values };
  const { rules, segmentIds } = compileRules(flag.rules ?? [], `${path}.rules`, serving, context);
  return {
    id: flag.id,
    envId: flag.envId.toLowerCase(),
    key: flag.key,
    variationType: flag.variationType ?? "string",
    variationOptions: variations,
    timestamp: flag.updatedAt,
    isArchived: flag.isArchived === true,
    segmentIds,
    plan: {
      fixed:
        flag.isArchived === true
          ? { variationId: null, variation: null, matchReason: "flag archived", sendToExperiment: false }
          : flag.isEnabled
            ? undefined
            : createEvaluation(values, flag.disabledVariationId ?? "", "flag disabled", false),
      targets: targeted,
      rules,
      fallthrough: compileServing(flag.fallthrough, "default", serving),
    },
    json: JSON.stringify(input),
  };
}
