import { evaluateFlag } from "./evaluate.ts";
import type { Flag, VariationOption } from "./flag.ts";
import type { SegmentIndex } from "./segment.ts";
import type { FlagUser } from "./user.ts";

/** A flag as client SDKs get it; the fields stand in the order of FeatBit's (3.8). */
export interface ClientFlag {
  /** The flag's key. */
  readonly id: string;
  readonly variation: string | null;
  readonly variationType: string;
  readonly variationId: string | null;
  readonly matchReason: string;
  readonly variationOptions: readonly VariationOption[];
  readonly sendToExperiment: boolean;
  /** In ms. */
  readonly timestamp: number;
}

/** Evaluates a flag for a client SDK. `timestamp` is what the client is told, in ms; by default the flag's own. */
export function evaluateForClient(
  flag: Flag,
  user: FlagUser,
  segments: SegmentIndex,
  timestamp: number = flag.timestamp,
): ClientFlag {
  const { variation, variationId, matchReason, sendToExperiment } = evaluateFlag(flag, user, segments);
  const { key: id, variationType, variationOptions } = flag;
  return {
    id,
    variation,
    variationType,
    variationId,
    matchReason,
    variationOptions,
    sendToExperiment,
    timestamp,
  };
}
