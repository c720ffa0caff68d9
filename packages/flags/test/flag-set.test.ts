import { describe, expect, it } from "vitest";
import {
  applyItems,
  createFlagSet,
  effectiveTimestamp,
  evaluateFlag,
  type FlagSet,
  flagsOfSegment,
  parseFlagUser,
} from "../src/index.ts";

const time = (second: number): string => `2024-01-01T00:00:0${second}.0000000Z`;
const at = (second: number): number => Date.parse(time(second));
const user = parseFlagUser({ keyId: "u1" });

const flagOf = (id: string, envId: string, second: number, conditions?: readonly object[]): object => ({
  id,
  envId,
  key: id,
  variations: [{ id: "v", value: `${id} at ${second}` }],
  rules: conditions === undefined ? [] : [{ name: "rule", conditions, variations: [] }],
  isEnabled: true,
  fallthrough: { variations: [{ id: "v", rollout: [0, 1] }] },
  updatedAt: time(second),
});
const segmentOf = (id: string, envId: string, second: number, included: readonly string[] = []): object => ({
  ...{ id, envId, included, excluded: [], rules: [], updatedAt: time(second) },
});
const onSegment = (...ids: readonly string[]): object[] => [
  { property: "User is in segment", op: null, value: JSON.stringify(ids) },
];
const items = (featureFlags: readonly unknown[], segments: readonly unknown[] = []) => [
  { featureFlags, segments },
];
const valuesOf = ({ environments, segments }: FlagSet, envId: string) =>
  [...(environments.get(envId)?.flags.values() ?? [])].map(
    (flag) => evaluateFlag(flag, user, segments).variation,
  );

describe("a set of flags", () => {
  it("keeps environments apart, whatever the case of their ids", () => {
    const { flagSet } = createFlagSet(
      items([flagOf("a", "E1", 1), flagOf("b", "e1", 1), flagOf("a", "e2", 2)]),
    );
    expect([...flagSet.environments.keys()]).toEqual(["e1", "e2"]);
    expect(valuesOf(flagSet, "e1")).toEqual(["a at 1", "b at 1"]);
    expect(valuesOf(flagSet, "e2")).toEqual(["a at 2"]);
  });

  it("takes what is newer or as old, and leaves what is older", () => {
    const { flagSet } = createFlagSet(items([flagOf("a", "e", 2), flagOf("b", "e", 2), flagOf("c", "e", 2)]));
    const change = applyItems(
      flagSet,
      items([flagOf("a", "e", 1), flagOf("b", "e", 2), flagOf("c", "e", 3)]),
    );
    expect(change.flags.map(({ key }) => key)).toEqual(["b", "c"]);
    expect(valuesOf(change.flagSet, "e")).toEqual(["a at 2", "b at 2", "c at 3"]);
    expect(change.flags[0]).not.toBe(flagSet.environments.get("e")?.flags.get("b"));
  });

  it("leaves what a broken item should have replaced, and the set that it was made from", () => {
    const { flagSet } = createFlagSet(items([flagOf("a", "e", 1)], [segmentOf("s", "e", 1, ["u1"])]));
    const broken = { ...flagOf("a", "e", 2), isEnabled: null };
    const { flagSet: next, flags, problems } = applyItems(flagSet, items([broken, flagOf("b", "e", 2)]));
    expect(flags.map(({ key }) => key)).toEqual(["b"]);
    expect(problems.map(({ code }) => code)).toEqual(["FLAG_INVALID"]);
    expect(valuesOf(next, "e")).toEqual(["a at 1", "b at 2"]);
    expect(valuesOf(flagSet, "e")).toEqual(["a at 1"]);
    expect(next.segments).toBe(flagSet.segments);
    expect(next.counters).toBe(flagSet.counters);
  });

  it("shares what did not change", () => {
    const { flagSet } = createFlagSet(items([flagOf("a", "e1", 1), flagOf("a", "e2", 1)]));
    const { flagSet: next } = applyItems(flagSet, items([flagOf("b", "e1", 1)]));
    expect(next.environments.get("e2")).toBe(flagSet.environments.get("e2"));
    expect(next.environments.get("e1")?.flags.get("a")).toBe(flagSet.environments.get("e1")?.flags.get("a"));
  });

  it("finds a segment in all environments, the newest of those with one id", () => {
    const flag = flagOf("a", "e1", 1, onSegment("s"));
    const { flagSet } = createFlagSet(
      items([flag], [segmentOf("s", "e1", 2, ["u1"]), segmentOf("s", "e2", 1, ["u2"])]),
    );
    expect(valuesOf(flagSet, "e1")).toEqual([""]);
    const { flagSet: next } = applyItems(flagSet, items([], [segmentOf("s", "e2", 3, ["u2"])]));
    expect(valuesOf(next, "e1")).toEqual(["a at 1"]);
    expect(next.environments.get("e1")?.segments.get("s")?.timestamp).toBe(at(2));
  });

  it("uses a segment that comes after the flag, and reports it missing until then", () => {
    const flag = flagOf("a", "e", 1, onSegment("s"));
    const first = createFlagSet(items([flag]));
    expect(first.problems).toMatchObject([{ code: "SEGMENT_MISSING", item: "a" }]);
    const { flagSet, problems, segments } = applyItems(
      first.flagSet,
      items([], [segmentOf("s", "e", 1, ["u1"])]),
    );
    expect(problems).toEqual([]);
    expect(segments.map(({ id }) => id)).toEqual(["s"]);
    expect(valuesOf(flagSet, "e")).toEqual([""]);
  });

  it("knows which flags a segment changes, and since when they are as they are", () => {
    const flags = [
      flagOf("a", "e1", 1, onSegment("s", "t")),
      flagOf("b", "e1", 3, onSegment("s")),
      flagOf("c", "e1", 1),
      flagOf("d", "e2", 1, onSegment("s")),
    ];
    const { flagSet, segments, flags: all } = createFlagSet(items(flags, [segmentOf("s", "E1", 2)]));
    const [segment] = segments;
    if (segment === undefined) throw new Error("the segment is missing");
    expect(flagsOfSegment(flagSet, segment).map(({ key }) => key)).toEqual(["a", "b"]);
    expect(all.map((flag) => effectiveTimestamp(flag, flagSet.segments))).toEqual([
      at(2),
      at(3),
      at(1),
      at(2),
    ]);
  });

  it("that is empty is a set too", () => {
    const { flagSet, problems } = createFlagSet();
    expect([flagSet.environments.size, flagSet.segments.size, problems]).toEqual([0, 0, []]);
  });
});
