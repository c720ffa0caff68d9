import type { ErrorValues } from "@posthouse/protocol";

/** What is wrong with one piece of a payload. The piece has no effect; the rest is served. */
export interface FlagProblem {
  readonly code: FlagProblemCode;
  readonly message: string;
  /** Where it stands in the payload: `items[0].featureFlags[3].rules[0].conditions[1].value`. */
  readonly path: string;
  /** The flag's key or the segment's id, where it is known. */
  readonly item?: string;
}

const definitions = {
  FLAG_INVALID: "The flag is left out: {reason}.",
  SEGMENT_INVALID: "The segment is left out: {reason}.",
  VARIATION_INVALID: "The variation is left out: {reason}.",
  TARGET_INVALID: "The targeted users are left out: {reason}.",
  RULE_INVALID: "The rule never matches: {reason}.",
  CONDITION_INVALID: "The condition is false: {reason}.",
  OPERATOR_UNKNOWN: "The condition is false: there is no operator {operator}.",
  LIST_INVALID: "The condition is false: its value is not a JSON list of texts.",
  PATTERN_INVALID: "The condition is false: its pattern is not valid at offset {position}: {reason}.",
  PATTERN_UNSUPPORTED:
    "The condition is false: its pattern asks at offset {position} for {reason}, which cannot be run in linear time.",
  PATTERN_TOO_COSTLY: "The condition is false: its pattern is too costly: {reason}.",
  SEGMENT_MISSING:
    "The condition is false for users outside its other segments: segment {segment} is missing.",
} as const;

export type FlagProblemCode = keyof typeof definitions;

/** Every code that a FlagProblem can have, with its text. `{name}` is replaced by a value of that name. */
export const flagProblemDefinitions: Readonly<Record<FlagProblemCode, string>> = definitions;

/** Takes the problems of one flag or segment. */
export type Report = (code: FlagProblemCode, path: string, values?: ErrorValues) => void;

export function createProblem(
  code: FlagProblemCode,
  path: string,
  item: string | undefined,
  values: ErrorValues = {},
): FlagProblem {
  const message = definitions[code].replace(/\{(\w+)\}/g, (whole, name: string) =>
    String(values[name] ?? whole),
  );
  return item === undefined ? { code, message, path } : { code, message, path, item };
}
