import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  createFlagSet,
  evaluateFlag,
  type FlagProblemCode,
  flagProblemDefinitions,
  parseFlagUser,
} from "../src/index.ts";
import { flags, segments, users } from "./payloads.ts";

const user = parseFlagUser({ keyId: "u1", customizedProperties: [{ name: "a", value: "1" }] });
const condition = { property: "a", op: "Equal", value: "1" };
const serving = (id: string) => ({
  dispatchKey: null,
  includedInExpt: false,
  variations: [{ id, rollout: [0, 1], exptRollout: 1 }],
});
const rule = (name: string, ...conditions: readonly unknown[]) => ({ name, conditions, ...serving("on") });
const flag = {
  id: "f",
  envId: "e",
  key: "beta",
  variations: [
    { id: "on", value: "true" },
    { id: "off", value: "false" },
  ],
  rules: [rule("R1", condition)],
  isEnabled: true,
  fallthrough: serving("off"),
  updatedAt: "2024-01-01T00:00:00Z",
};
const good = { ...flag, id: "good", key: "good" };
const segment = {
  id: "s",
  envId: "e",
  rules: [{ conditions: [condition] }],
  updatedAt: "2024-01-01T00:00:00Z",
};
const inSegment = { property: "User is in segment", value: '["s"]' };

/** Beside the broken flag and segment stand good ones, which must come out right each time. */
function outcome(
  broken: unknown,
  brokenSegment: unknown = segment,
): [reason: string | undefined, problems: string[]] {
  const payload = { featureFlags: [broken, good], segments: [brokenSegment] };
  const { flagSet, flags: all, problems } = createFlagSet([{ featureFlags: [], segments: [] }, payload]);
  const reasonOf = (key: string): string | undefined => {
    const found = all.find((one) => one.key === key);
    return found && evaluateFlag(found, user, flagSet.segments).matchReason;
  };
  expect(reasonOf("good")).toBe("R1");
  return [reasonOf("beta"), problems.map(({ code, path, item }) => `${code} ${path} ${item}`)];
}

const conditionAt = "items[1].featureFlags[0].rules[0].conditions";
const seen = new Set<string>();

describe("a broken piece takes nothing with it", () => {
  it.each<[FlagProblemCode, unknown, string | undefined, string, unknown?]>([
    ["FLAG_INVALID", null, undefined, "items[1].featureFlags[0] undefined"],
    ["FLAG_INVALID", { ...flag, key: 5 }, undefined, "items[1].featureFlags[0].key undefined"],
    ["FLAG_INVALID", { ...flag, updatedAt: "now" }, undefined, "items[1].featureFlags[0].updatedAt beta"],
    ["FLAG_INVALID", { ...flag, isEnabled: "yes" }, undefined, "items[1].featureFlags[0].isEnabled beta"],
    [
      "FLAG_INVALID",
      { ...flag, fallthrough: { ...serving("off"), variations: [{ id: "off", rollout: [0] }] } },
      undefined,
      "items[1].featureFlags[0].fallthrough.variations[0].rollout beta",
    ],
    [
      "VARIATION_INVALID",
      { ...flag, variations: [5, ...flag.variations] },
      "R1",
      "items[1].featureFlags[0].variations[0] beta",
    ],
    [
      "TARGET_INVALID",
      { ...flag, targetUsers: [{ keyIds: "u1" }, { keyIds: ["u1"], variationId: "on" }] },
      "targeted",
      "items[1].featureFlags[0].targetUsers[0].keyIds beta",
    ],
    [
      "RULE_INVALID",
      { ...flag, rules: [{ ...rule("R0"), conditions: null }, ...flag.rules] },
      "R1",
      "items[1].featureFlags[0].rules[0].conditions beta",
    ],
    [
      "CONDITION_INVALID",
      { ...flag, rules: [rule("R0", condition, 5)] },
      "default",
      `${conditionAt}[1] beta`,
    ],
    [
      "OPERATOR_UNKNOWN",
      { ...flag, rules: [rule("R0", { ...condition, op: "equal" })] },
      "default",
      `${conditionAt}[0].op beta`,
    ],
    [
      "LIST_INVALID",
      { ...flag, rules: [rule("R0", { property: "a", op: "NotOneOf", value: "[1]" })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "LIST_INVALID",
      { ...flag, rules: [rule("R0", { property: "User is not in segment", op: null, value: "s" })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "PATTERN_INVALID",
      { ...flag, rules: [rule("R0", { property: "a", op: "NotMatchRegex", value: "[" })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "PATTERN_UNSUPPORTED",
      { ...flag, rules: [rule("R0", { property: "a", op: "NotMatchRegex", value: "(?=x)" })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "PATTERN_TOO_COSTLY",
      { ...flag, rules: [rule("R0", { property: "a", op: "NotMatchRegex", value: "x{5000}" })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "SEGMENT_MISSING",
      { ...flag, rules: [rule("R0", { property: "User is not in segment", value: '["gone"]' })] },
      "default",
      `${conditionAt}[0].value beta`,
    ],
    [
      "RULE_INVALID",
      { ...flag, rules: [rule("R0", inSegment)] },
      "R0",
      "items[1].segments[0].rules[0] s",
      { ...segment, rules: [5, ...segment.rules] },
    ],
    [
      "CONDITION_INVALID",
      { ...flag, rules: [rule("R0", inSegment)] },
      "default",
      "items[1].segments[0].rules[0].conditions[0].op s",
      { ...segment, rules: [{ conditions: [{ property: "a", op: 1 }] }] },
    ],
    ["SEGMENT_INVALID", flag, "R1", "items[1].segments[0].excluded[0] s", { ...segment, excluded: [5] }],
  ])("%s", (code, broken, reason, place, brokenSegment) => {
    expect(outcome(broken, brokenSegment)).toEqual([reason, [`${code} ${place}`]]);
    seen.add(code);
  });

  it("tells of every kind of problem", () => {
    expect([...seen].toSorted()).toEqual(Object.keys(flagProblemDefinitions).toSorted());
  });

  it("tells all problems of a rule, not the first alone", () => {
    const rules = [rule("R0", 5, { property: "a", op: "IsOneOf", value: "x" }), 6];
    expect(outcome({ ...flag, rules })[1].map((problem) => problem.split(" ")[0])).toEqual([
      "CONDITION_INVALID",
      "LIST_INVALID",
      "RULE_INVALID",
    ]);
  });

  it("whatever it is replaced by, and wherever it stood", () => {
    const payloads = fc.record({ featureFlags: fc.array(flags, { maxLength: 2 }), segments });
    fc.assert(
      fc.property(
        payloads,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.jsonValue(),
        users,
        (payload, way, junk, who) => {
          const other = { ...good, id: "neighbour", key: "neighbour" };
          const { featureFlags, segments: all } = withJunk(payload, way, junk);
          const { flagSet, flags: compiled } = createFlagSet([
            { featureFlags: [...featureFlags, other], segments: all },
          ]);
          const someone = parseFlagUser(who);
          for (const one of compiled) evaluateFlag(one, someone, flagSet.segments);
          const neighbour = compiled.find(({ key }) => key === "neighbour");
          const reason = neighbour && evaluateFlag(neighbour, user, flagSet.segments).matchReason;
          expect(reason).toBe("R1");
          expect(flagSet.counters).toEqual({ valuesTooLong: 0, patternsFailed: 0 });
        },
      ),
      { numRuns: 5000 },
    );
  });
});

interface Payload {
  readonly featureFlags: readonly unknown[];
  readonly segments: readonly unknown[];
}

/** Puts `junk` in the place to which `way` leads: at each step the number chooses among what is there. */
function withJunk(payload: Payload, way: readonly number[], junk: unknown): Payload {
  const copy = structuredClone(payload) as { featureFlags: unknown[]; segments: unknown[] };
  const [list = 0, ...rest] = way;
  let place = (list % 2 === 0 ? copy.featureFlags : copy.segments) as unknown as Record<string, unknown>;
  for (const [step, choice] of rest.entries()) {
    const names = Object.keys(place);
    const name = names[choice % Math.max(names.length, 1)];
    if (name === undefined) return copy;
    const next = place[name];
    if (step === rest.length - 1 || typeof next !== "object" || next === null) {
      place[name] = junk;
      return copy;
    }
    place = next as Record<string, unknown>;
  }
  return copy;
}
