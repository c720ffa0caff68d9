export { type ClientFlag, evaluateForClient } from "./client-flag.ts";
export { type ConnectionToken, parseConnectionToken } from "./connection-token.ts";
export type { FlagCounters } from "./context.ts";
export { flagsErrors } from "./errors.ts";
export { evaluateFlag } from "./evaluate.ts";
export type { Flag, VariationOption } from "./flag.ts";
export {
  applyItems,
  createFlagSet,
  createFlagSetBuilder,
  type EnvironmentFlags,
  effectiveTimestamp,
  type FlagItems,
  type FlagSet,
  type FlagSetBuilder,
  type FlagSetChange,
  flagsOfSegment,
} from "./flag-set.ts";
export { type FlagProblem, type FlagProblemCode, flagProblemDefinitions } from "./problem.ts";
export { rolloutOf } from "./rollout.ts";
export { parseSecret } from "./secret.ts";
export type { Segment, SegmentIndex } from "./segment.ts";
export { type ServedBy, servedBy } from "./served-by.ts";
export type { Evaluation } from "./serving.ts";
export { type FlagUser, parseFlagUser } from "./user.ts";
