/** Payloads for property tests: few names and values, so that conditions often hold. */
import fc from "fast-check";
import type { RawCondition, RawFlag, RawSegment, RawServing, RawUser } from "./naive.ts";

const keyIds = fc.constantFrom("u1", "u2", "u3", "用户");
const names = fc.constantFrom("a", "b", "keyId", "name", "KeyId", "", " ", "User is in segment");
const values = fc.constantFrom(
  "",
  "1",
  "2",
  "1.0",
  " 2 ",
  "1e1",
  "true",
  "FALSE",
  "abc",
  "ab",
  "用户",
  "u1",
  "u2",
);
const operators = fc.constantFrom(
  ...[
    "LessThan",
    "LessEqualThan",
    "BiggerThan",
    "BiggerEqualThan",
    "Equal",
    "NotEqual",
    "Contains",
    "NotContain",
  ],
  ...["StartsWith", "EndsWith", "IsTrue", "IsFalse", "equal", "NotContains", null],
);
const lists = fc.oneof(
  fc
    .array(fc.oneof({ weight: 9, arbitrary: values }, fc.constant(null)), { maxLength: 3 })
    .map((list) => JSON.stringify(list)),
  fc.constant("null"),
);
const patterns = fc.constantFrom("^a", "b$", "[0-9]", "^.?$", "u[13]", "a|1");

const ordinary: fc.Arbitrary<RawCondition> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      property: names,
      op: operators,
      value: fc.oneof({ weight: 9, arbitrary: values }, fc.constant(null)),
    }),
  },
  fc.record({ property: names, op: fc.constantFrom("IsOneOf", "NotOneOf"), value: lists }),
  fc.record({ property: names, op: fc.constantFrom("MatchRegex", "NotMatchRegex"), value: patterns }),
);
// In a segment these two are names like any other; a rule of a flag names them with lists alone.
const inFlag = ordinary.filter(({ property }) => property !== "User is in segment");
const onSegments: fc.Arbitrary<RawCondition> = fc.record({
  property: fc.constantFrom("User is in segment", "User is not in segment"),
  op: fc.constantFrom(null, "Equal"),
  value: fc.oneof(
    { weight: 8, arbitrary: fc.subarray(["s1", "s2", "s3"]).map((list) => JSON.stringify(list)) },
    fc.constantFrom("null", '["gone"]', '["gone","s1"]', null),
  ),
});

const variationIds = fc.constantFrom("on", "off", "unknown");
const bounds = fc.oneof(
  fc.constantFrom(0, 1, 0.3, 0.5, 0.999991, 0.32014600839465857),
  fc.double({ min: 0, max: 1, noNaN: true }),
);
const servings: fc.Arbitrary<RawServing> = fc.record({
  dispatchKey: fc.oneof(fc.constant(null), names),
  includedInExpt: fc.boolean(),
  variations: fc.array(
    fc.record({
      id: variationIds,
      rollout: fc.oneof(
        { weight: 2, arbitrary: fc.constant<readonly [number, number]>([0, 1]) },
        fc.tuple(bounds, bounds),
      ),
      exptRollout: bounds,
    }),
    { maxLength: 3 },
  ),
});

export const flags: fc.Arbitrary<RawFlag> = fc.record({
  id: fc.constant("f1"),
  envId: fc.constant("E1"),
  key: fc.constantFrom("beta", "用户"),
  variations: fc.constant([
    { id: "on", value: "true" },
    { id: "off", value: "false" },
  ]),
  targetUsers: fc.array(
    fc.record({ keyIds: fc.array(keyIds, { maxLength: 2 }), variationId: variationIds }),
    { maxLength: 2 },
  ),
  rules: fc.array(
    fc
      .tuple(
        fc.constantFrom("R1", "R2"),
        fc.array(fc.oneof({ weight: 3, arbitrary: inFlag }, onSegments), { maxLength: 3 }),
        servings,
      )
      .map(([name, conditions, serving]) => ({ name, conditions, ...serving })),
    { maxLength: 3 },
  ),
  isEnabled: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, fc.constant(false)),
  disabledVariationId: variationIds,
  fallthrough: servings,
  exptIncludeAllTargets: fc.boolean(),
  updatedAt: fc.constant("2024-01-01T00:00:00.123Z"),
  isArchived: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true)),
});

export const segments: fc.Arbitrary<RawSegment[]> = fc.uniqueArray(
  fc.record({
    id: fc.constantFrom("s1", "s2", "s3"),
    envId: fc.constant("E1"),
    included: fc.array(keyIds, { maxLength: 2 }),
    excluded: fc.array(keyIds, { maxLength: 1 }),
    rules: fc.array(fc.record({ conditions: fc.array(ordinary, { maxLength: 2 }) }), { maxLength: 2 }),
    updatedAt: fc.constant("2024-01-01T00:00:00.123Z"),
  }),
  { maxLength: 3, selector: ({ id }) => id },
);

export const users: fc.Arbitrary<RawUser> = fc.record(
  {
    keyId: keyIds,
    name: values,
    customizedProperties: fc.array(fc.record({ name: names, value: values }), { maxLength: 4 }),
  },
  { requiredKeys: ["keyId", "customizedProperties"] },
);
