import { expect, test } from "vitest";
import { exampleDump, examplePayload, exampleUser } from "../../src/featbit/example.ts";
import { makeFlags, makeUser } from "../../src/featbit/generate.ts";
import { environmentOf } from "../../src/featbit/secrets.ts";

test("the same seed gives the same flags, another seed others", () => {
  expect(makeFlags(20)).toEqual(makeFlags(20));
  expect(makeFlags(20, { seed: 2 })).not.toEqual(makeFlags(20));
  expect(makeFlags(30).featureFlags.slice(0, 20)).toEqual(makeFlags(20).featureFlags);
  expect(makeUser(7)).toEqual(makeUser(7));
});

test("flags have as many rules, segments and targets as asked for", () => {
  const { featureFlags, segments } = makeFlags(100, { rules: 4, segments: 2, users: 5 });
  for (const { rules, targetUsers } of featureFlags) {
    expect([rules.length, targetUsers[0]?.keyIds.length]).toEqual([4, 5]);
  }
  for (const { id, included } of segments) {
    expect(included).toHaveLength(5);
    const touched = featureFlags.filter(({ rules }) => rules[0]?.conditions[0]?.value.includes(id));
    expect(touched).toHaveLength(50);
  }
  const bare = makeFlags(3, { rules: 0, segments: 0, users: 0 });
  expect(bare.segments).toEqual([]);
  expect(bare.featureFlags[0]).toMatchObject({ rules: [], targetUsers: [] });
});

test("every slice is filled, every reference leads somewhere, times grow", () => {
  const { featureFlags } = makeFlags(60);
  for (const { variations, fallthrough, rules, disabledVariationId } of featureFlags) {
    const ids = variations.map(({ id }) => id);
    expect(ids).toContain(disabledVariationId);
    for (const node of [fallthrough, ...rules]) {
      let filled = 0;
      for (const { id, rollout } of node.variations) {
        expect(ids).toContain(id);
        filled += rollout[1] - rollout[0];
      }
      expect(filled).toBeCloseTo(1, 9);
    }
  }
  const times = featureFlags.map(({ updatedAt }) => Date.parse(updatedAt));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  expect(new Set(times).size).toBe(60);
});

test("the example is of one piece", () => {
  for (const { envId, secrets, featureFlags } of exampleDump().items) {
    for (const { value } of secrets) expect(environmentOf(value)).toBe(envId);
    expect(examplePayload).toMatchObject({
      data: {
        userKeyId: exampleUser.keyId,
        featureFlags: featureFlags.map(({ key, updatedAt }) => ({
          id: key,
          timestamp: Date.parse(updatedAt),
        })),
      },
    });
  }
});
