import fc from "fast-check";
import { expect, test } from "vitest";
import { exampleDump } from "../../src/featbit/example.ts";
import { makeFlags } from "../../src/featbit/generate.ts";
import type { Dump } from "../../src/featbit/shapes.ts";
import { dumpDifferences } from "../../src/featbit/truth.ts";
import { FeatbitWorld } from "../../src/featbit/world.ts";

const copy = (dump: Dump): Dump => JSON.parse(JSON.stringify(dump));

function startWorld(): { world: FeatbitWorld; envId: string } {
  const world = new FeatbitWorld();
  const { featureFlags: flags, segments } = makeFlags(3);
  const { envId } = world.addEnvironment({ flags, segments });
  world.addRelayKey();
  return { world, envId };
}

test("a dump that was loaded comes out as it went in", () => {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  world.addRelayKey();
  expect(world.dump()).toEqual(exampleDump());
  expect(world.neverTrue(exampleDump())).toEqual([]);
});

test("every dump that there was stays true, whatever changes after it", () => {
  const step = fc.record({
    kind: fc.constantFrom("flag", "segment", "archive", "delete", "add"),
    which: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { world, envId } = startWorld();
      const dumps = [copy(world.dump())];
      for (const { kind, which } of steps) {
        const flag = [...world.environment(envId).flags.values()][which];
        const segment = [...world.environment(envId).segments.values()][which % 2];
        if (kind === "segment" && segment !== undefined) {
          world.patchSegment(envId, segment.id, { excluded: [`user-${dumps.length}`] });
        } else if (flag !== undefined) {
          if (kind === "flag") world.patchFlag(envId, flag.id, { isEnabled: !flag.isEnabled });
          else if (kind === "archive") world.archiveFlag(envId, flag.id);
          else if (kind === "add") world.setFlag(envId, { ...flag, id: `added-${dumps.length}` });
          else if (kind === "delete") world.deleteFlag(envId, flag.id);
        }
        dumps.push(copy(world.dump()));
      }
      for (const dump of dumps) expect(world.neverTrue(dump)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("a mixture of two moments was never true", () => {
  const { world, envId } = startWorld();
  const before = copy(world.dump());
  world.patchFlag(envId, "flag-0", { isEnabled: false });
  const between = copy(world.dump());
  world.patchFlag(envId, "flag-1", { isEnabled: true });
  const after = copy(world.dump());
  const flagsOf = (dump: Dump) => dump.items[0]?.featureFlags ?? [];
  const mixed = copy(before);
  Object.assign(mixed.items[0] ?? {}, {
    featureFlags: [flagsOf(before)[0], flagsOf(after)[1], flagsOf(between)[2]],
  });
  expect(world.neverTrue(mixed)).toEqual([`${envId}: no moment had all of these together`]);
});

test("what was never so is told", () => {
  const { world, envId } = startWorld();
  const altered = (alter: (item: { featureFlags: object[]; secrets: { value: string }[] }) => void) => {
    const dump = copy(world.dump());
    alter(dump.items[0] as never);
    return world.neverTrue(dump).join();
  };
  expect(
    altered(({ featureFlags }) => Object.assign(featureFlags[0] ?? {}, { isEnabled: "perhaps" })),
  ).toMatch(/flag .* was never so/);
  expect(altered(({ featureFlags }) => featureFlags.push(featureFlags[0] ?? {}))).toMatch(/stands twice/);
  expect(altered(({ featureFlags }) => featureFlags.pop())).toMatch(/no moment had/);
  expect(altered(({ secrets }) => secrets.splice(0, 1, { ...secrets[0], value: "x" }))).toMatch(/secret x/);
  expect(
    world.neverTrue({
      eventType: "rp_full",
      items: [{ envId: "e", secrets: [], featureFlags: [], segments: [] }],
    }),
  ).toEqual(["there never was an environment e"]);
  expect(envId).toMatch(/^[0-9a-f-]{36}$/);
});

test("a copy need not know of a deletion, nor of times that only the database changed", () => {
  const { world, envId } = startWorld();
  const before = copy(world.dump());
  const segment = [...world.environment(envId).segments.values()][0];
  const changed = world.patchSegment(envId, segment?.id ?? "", { included: ["a"] });
  world.deleteFlag(envId, "flag-1");
  const untold = copy(before);
  Object.assign(untold.items[0] ?? {}, { segments: [changed, before.items[0]?.segments[1]] });
  expect(world.neverTrue(untold)).toEqual([]);
  expect(dumpDifferences(world.dump(), untold).join()).toMatch(/flag .* is too many/);
});

test("differences name what is missing, other and too many", () => {
  const { world } = startWorld();
  const other = copy(world.dump());
  for (const { featureFlags, segments, secrets } of other.items as unknown as Record<string, object[]>[]) {
    Object.assign(featureFlags?.[0] ?? {}, { isArchived: true });
    segments?.pop();
    secrets?.push({ ...secrets[0], value: "new" });
  }
  const found = dumpDifferences(world.dump(), other);
  expect(found).toHaveLength(3);
  expect(found.join()).toMatch(/flag .* is .* not .*segment .* is missing.*secret new is too many/);
  expect(dumpDifferences(world.dump(), copy(world.dump()))).toEqual([]);
});
