/** Evaluation as the specification tells it, step by step, on the JSON itself: the oracle of the property tests. */
import { parseDouble } from "../src/number.ts";
import { rolloutOf } from "../src/rollout.ts";

export interface RawCondition {
  readonly property: string;
  readonly op: string | null;
  readonly value: string | null;
}

export interface RawServing {
  readonly dispatchKey: string | null;
  readonly includedInExpt: boolean;
  readonly variations: readonly { id: string; rollout: readonly [number, number]; exptRollout: number }[];
}

export interface RawRule extends RawServing {
  readonly name: string;
  readonly conditions: readonly RawCondition[];
}

export interface RawFlag {
  readonly id: string;
  readonly envId: string;
  readonly key: string;
  readonly variations: readonly { id: string; value: string }[];
  readonly targetUsers: readonly { keyIds: readonly string[]; variationId: string }[];
  readonly rules: readonly RawRule[];
  readonly isEnabled: boolean;
  readonly disabledVariationId: string;
  readonly fallthrough: RawServing;
  readonly exptIncludeAllTargets: boolean;
  readonly updatedAt: string;
  readonly isArchived: boolean;
}

export interface RawSegment {
  readonly id: string;
  readonly envId: string;
  readonly included: readonly string[];
  readonly excluded: readonly string[];
  readonly rules: readonly { conditions: readonly RawCondition[] }[];
  readonly updatedAt: string;
}

export interface RawUser {
  readonly keyId: string;
  readonly name?: string;
  readonly customizedProperties: readonly { name: string; value: string }[];
}

type Outcome = [id: string | null, value: string | null, reason: string, send: boolean];

export function evaluateNaively(flag: RawFlag, user: RawUser, segments: readonly RawSegment[]): Outcome {
  const withValue = (id: string, reason: string, send: boolean): Outcome => {
    const found = flag.variations.find((one) => one.id === id);
    return found === undefined ? [null, null, reason, send] : [id, found.value, reason, send];
  };
  if (flag.isArchived) return [null, null, "flag archived", false];
  if (!flag.isEnabled) return withValue(flag.disabledVariationId, "flag disabled", false);
  const target = flag.targetUsers.find(({ keyIds }) => keyIds.includes(user.keyId));
  if (target !== undefined) return withValue(target.variationId, "targeted", flag.exptIncludeAllTargets);
  const rule = flag.rules.find(({ conditions }) =>
    conditions.every((condition) => holdsInFlag(condition, user, segments)),
  );
  const serving = rule ?? flag.fallthrough;
  const reason = rule?.name ?? "default";
  const dispatched =
    serving.dispatchKey === null || serving.dispatchKey.trim() === "" ? "keyId" : serving.dispatchKey;
  const key = flag.key + (readProperty(user, dispatched) ?? "");
  const chosen = serving.variations.find(({ rollout: [min, max] }) => isInRange(key, min, max));
  if (chosen === undefined) return ["", "", reason, flag.exptIncludeAllTargets];
  return withValue(chosen.id, reason, isSent(flag, serving, chosen, key));
}

function isSent(
  flag: RawFlag,
  serving: RawServing,
  { rollout: [min, max], exptRollout }: RawServing["variations"][number],
  key: string,
): boolean {
  if (flag.exptIncludeAllTargets) return true;
  if (!serving.includedInExpt) return false;
  if (exptRollout === 0 || max - min === 0) return false;
  return isInRange(`expt${key}`, 0, Math.min(exptRollout / (max - min), 1));
}

function isInRange(key: string, min: number, max: number): boolean {
  if (min === 0 && 1 - max < 1e-5) return true;
  if (min === 0 && max === 0) return false;
  const place = rolloutOf(key);
  return place >= min && place <= max;
}

function holdsInFlag(condition: RawCondition, user: RawUser, segments: readonly RawSegment[]): boolean {
  const isIn = condition.property === "User is in segment";
  if (!isIn && condition.property !== "User is not in segment") return holds(condition, user);
  if (condition.value === null) return false;
  const ids = JSON.parse(condition.value) as string[] | null;
  const inAny = (ids ?? []).some((id) => {
    const segment = segments.find((one) => one.id === id);
    return segment !== undefined && isInSegment(segment, user);
  });
  if (isIn) return inAny;
  return !inAny && (ids ?? []).every((id) => segments.some((one) => one.id === id));
}

function isInSegment({ included, excluded, rules }: RawSegment, user: RawUser): boolean {
  if (excluded.includes(user.keyId)) return false;
  if (included.includes(user.keyId)) return true;
  return rules.some(({ conditions }) => conditions.every((condition) => holds(condition, user)));
}

function readProperty(user: RawUser, property: string): string | null {
  if (property.trim() === "") return "";
  if (property === "keyId") return user.keyId;
  if (property === "name") return user.name ?? null;
  return user.customizedProperties.find(({ name }) => name === property)?.value ?? "";
}

function holds({ property, op, value }: RawCondition, user: RawUser): boolean {
  const text = readProperty(user, property);
  if (text === null || value === null) return false;
  const list = (): (string | null)[] => (JSON.parse(value) as (string | null)[] | null) ?? [];
  switch (op) {
    case "LessThan":
      return parseDouble(text) < parseDouble(value);
    case "LessEqualThan":
      return parseDouble(text) <= parseDouble(value);
    case "BiggerThan":
      return parseDouble(text) > parseDouble(value);
    case "BiggerEqualThan":
      return parseDouble(text) >= parseDouble(value);
    case "Equal":
      return text === value;
    case "NotEqual":
      return text !== value;
    case "Contains":
      return text.includes(value);
    case "NotContain":
      return !text.includes(value);
    case "StartsWith":
      return text.startsWith(value);
    case "EndsWith":
      return text.endsWith(value);
    case "MatchRegex":
      return new RegExp(value).test(text);
    case "NotMatchRegex":
      return !new RegExp(value).test(text);
    case "IsOneOf":
      return list().includes(text);
    case "NotOneOf":
      return !list().includes(text);
    case "IsTrue":
      return text.toUpperCase() === "TRUE";
    case "IsFalse":
      return text.toUpperCase() === "FALSE";
    default:
      return false;
  }
}
