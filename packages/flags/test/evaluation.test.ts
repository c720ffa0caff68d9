import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFlagSet, evaluateFlag, evaluateForClient, type Flag, parseFlagUser } from "../src/index.ts";
import { evaluateNaively } from "./naive.ts";
import { flags, segments, users } from "./payloads.ts";

describe("a compiled flag", () => {
  it("says what the specification says, step by step", () => {
    fc.assert(
      fc.property(flags, segments, users, (flag, all, user) => {
        const { flagSet, flags: compiled } = createFlagSet([{ featureFlags: [flag], segments: all }]);
        const found = evaluateFlag(compiled[0] as Flag, parseFlagUser(user), flagSet.segments);
        expect([found.variationId, found.variation, found.matchReason, found.sendToExperiment]).toEqual(
          evaluateNaively(flag, user, all),
        );
      }),
      { numRuns: 5000 },
    );
  });

  it("serves each variation to its share of users", () => {
    const serving = {
      dispatchKey: null,
      includedInExpt: true,
      variations: [
        { id: "a", rollout: [0, 0.1], exptRollout: 0.05 },
        { id: "b", rollout: [0.1, 0.4], exptRollout: 0.3 },
        { id: "c", rollout: [0.4, 1], exptRollout: 0 },
      ],
    };
    const flag = {
      ...{
        id: "f",
        envId: "e",
        key: "checkout",
        variations: ["a", "b", "c"].map((id) => ({ id, value: id })),
      },
      ...{ isEnabled: true, fallthrough: serving, updatedAt: "2024-01-01T00:00:00Z" },
    };
    const { flagSet, flags: compiled } = createFlagSet([{ featureFlags: [flag], segments: [] }]);
    const counts: Record<string, number> = {};
    const people = 20_000;
    for (let index = 0; index < people; index++) {
      const user = parseFlagUser({ keyId: `user-${index}` });
      const found = evaluateFlag(compiled[0] as Flag, user, flagSet.segments);
      for (const name of [found.variation, `${found.variation} sent ${found.sendToExperiment}`]) {
        counts[String(name)] = (counts[String(name)] ?? 0) + 1;
      }
    }
    const shares = { a: 0.1, b: 0.3, c: 0.6, "a sent true": 0.05, "b sent true": 0.3, "c sent false": 0.6 };
    for (const [name, share] of Object.entries(shares)) {
      const deviation = Math.sqrt(people * share * (1 - share));
      expect(Math.abs((counts[name] ?? 0) - people * share), name).toBeLessThan(6 * deviation);
    }
  });

  it("is told to clients with its key, its options and its time", () => {
    const flag = {
      ...{ id: "f", envId: "e", key: "banner", isEnabled: false, disabledVariationId: "b" },
      variations: [
        { id: "a", name: "A", value: "Welcome" },
        { id: "b", name: "B", value: "Hello" },
      ],
      fallthrough: { dispatchKey: null, includedInExpt: false, variations: [] },
      updatedAt: "2025-03-02T08:00:00Z",
    };
    const { flagSet, flags: compiled } = createFlagSet([{ featureFlags: [flag], segments: [] }]);
    const user = parseFlagUser({ keyId: "u" });
    const told = evaluateForClient(compiled[0] as Flag, user, flagSet.segments);
    expect(JSON.stringify(told)).toBe(
      '{"id":"banner","variation":"Hello","variationType":"string","variationId":"b","matchReason":"flag disabled",' +
        '"variationOptions":[{"id":"a","value":"Welcome"},{"id":"b","value":"Hello"}],"sendToExperiment":false,"timestamp":1740902400000}',
    );
    expect(evaluateForClient(compiled[0] as Flag, user, flagSet.segments, 5).timestamp).toBe(5);
  });
});
