import { describe, expect, test } from "vitest";
import { createFlagSet, evaluateFlag, type FlagUser, type ServedBy, servedBy } from "../src/index.ts";

const envId = "3f2b8c1e-7a54-4d0b-9c6e-2f1d0a9b8c7d";
const user = (keyId: string): FlagUser => ({ keyId, name: null, properties: new Map([["plan", "gold"]]) });
const whole = {
  dispatchKey: null,
  includedInExpt: false,
  variations: [{ id: "a", rollout: [0, 1], exptRollout: 1 }],
};
const half = {
  ...whole,
  variations: [
    { id: "a", rollout: [0, 0.5], exptRollout: 1 },
    { id: "b", rollout: [0.5, 1], exptRollout: 1 },
  ],
};
const none = { ...whole, variations: [] };
const condition = { id: "c", property: "plan", op: "Equal", value: "gold" };
const rule = { id: "r", name: "default", conditions: [condition] };

/** What serves user u in a flag with these fields. */
function causeOf(fields: object): ServedBy {
  const flag = {
    id: "f",
    envId,
    key: "f",
    variationType: "string",
    variations: [
      { id: "a", value: "A" },
      { id: "b", value: "B" },
    ],
    targetUsers: [],
    rules: [],
    isEnabled: true,
    disabledVariationId: "b",
    fallthrough: whole,
    exptIncludeAllTargets: true,
    updatedAt: "2025-01-01T00:00:00Z",
    isArchived: false,
    ...fields,
  };
  const { flagSet, flags } = createFlagSet([{ featureFlags: [flag], segments: [] }]);
  const [compiled] = flags;
  if (compiled === undefined) throw new Error("the flag is broken");
  return servedBy(compiled, evaluateFlag(compiled, user("u"), flagSet.segments));
}

describe("what led to an evaluation is known, though reasons on the wire are names of rules", () => {
  test.each([
    ["archived", { isArchived: true }],
    ["disabled", { isEnabled: false }],
    ["target", { targetUsers: [{ keyIds: ["u"], variationId: "b" }] }],
    ["rule", { rules: [{ ...rule, ...whole }] }],
    ["split", { rules: [{ ...rule, ...half }] }],
    ["gap", { rules: [{ ...rule, ...none }] }],
    ["static", {}],
    ["default", { targetUsers: [{ keyIds: ["somebody"], variationId: "b" }] }],
    ["default", { rules: [{ ...rule, conditions: [{ ...condition, value: "silver" }], ...whole }] }],
    ["split", { fallthrough: half }],
    ["gap", { fallthrough: none }],
  ] as const)("%s: %j", (cause, fields) => expect(causeOf(fields)).toBe(cause));
});
