import { exampleDump } from "@posthouse/testkit/featbit/example";
import type { Flag, Segment } from "@posthouse/testkit/featbit/shapes";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const key = item?.secrets[0]?.value ?? "";
const segment = item?.segments[0] as Segment;
const otherEnvId = "11111111-2222-3333-4444-555555555555";

const forAnn = {
  id: "r-ann",
  name: "Ann",
  conditions: [{ id: "c-9", property: "name", op: "Equal", value: "Ann" }],
};

function start(): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  world.addEnvironment({ envId: otherEnvId });
  const banner = world.flag(envId, "banner-text");
  world.patchFlag(envId, "banner-text", {
    rules: [...banner.rules, forAnn].map((rule) => ({ ...banner.rules[0], ...rule })) as Flag["rules"],
  });
  return startFlags({ world });
}

async function ask(
  flags: FlagsHarness,
  context: object,
  tags: Iterable<string>,
): Promise<{ readonly status: number; readonly tag: string; readonly body: string }> {
  const answer = await fetch(`${flags.url}/ofrep/v1/evaluate/flags`, {
    method: "POST",
    headers: {
      authorization: key,
      "content-type": "application/json",
      "if-none-match": [...tags].slice(-100).join(", "),
    },
    body: JSON.stringify({ context }),
  });
  return {
    status: answer.status,
    tag: answer.headers.get("etag") ?? "",
    body: await answer.text(),
  };
}

const flagNames = fc.constantFrom("new-checkout", "banner-text");
// Few, so that each is asked for before and after a change.
const contexts = fc.constantFrom<object>(
  { targetingKey: "u-101" },
  { targetingKey: "u-2" },
  { targetingKey: "u-101", name: "Ann" },
  { targetingKey: "u-101", visits: 40, country: "fr" },
  { targetingKey: "u-101", visits: 40, country: '"' },
  { targetingKey: "u-2", visits: "40", country: "de" },
  { targetingKey: "u-2", visits: 1, country: "\ud800" },
);
const steps = fc.oneof(
  fc.record({ on: fc.constant("flag" as const), name: flagNames, isEnabled: fc.boolean() }),
  fc.record({ on: fc.constant("flag" as const), name: flagNames, isArchived: fc.boolean() }),
  fc.record({ on: fc.constant("segment" as const), included: fc.subarray(["u-101", "u-2"]) }),
  fc.record({ on: fc.constant("stranger" as const), included: fc.subarray(["u-101", "u-2"]) }),
);

test("a 304 is never stale, and a tag never stands for two answers, whatever changes for whomever", async () => {
  await using flags = await start();
  flags.load();
  const bodies = new Map<string, string>();
  const seen = { 304: 0, 200: 0 };
  const isSameTime = fc.boolean();

  function change({ on, ...fields }: { on: "flag" | "segment" | "stranger" }, keepsTime: boolean): void {
    const { name, ...rest } = fields as { name?: string };
    const { world } = flags;
    if (on === "flag" && name !== undefined)
      world.patchFlag(envId, name, rest, keepsTime ? world.flag(envId, name).updatedAt : undefined);
    if (on === "segment")
      world.patchSegment(envId, segment.id, rest, keepsTime ? segment.updatedAt : undefined);
    // Another environment's segment of the same id: the newest of them counts for both.
    if (on === "stranger") world.setSegment(otherEnvId, { ...segment, ...rest, envId: otherEnvId });
    flags.load();
  }

  await fc.assert(
    fc.asyncProperty(
      steps,
      isSameTime,
      fc.array(contexts, { minLength: 2, maxLength: 4 }),
      async (step, same, of) => {
        change(step, same);
        for (const context of of) {
          const now = await ask(flags, context, []);
          expect(now.status).toBe(200);
          expect(bodies.get(now.tag) ?? now.body).toBe(now.body);
          const answer = await ask(flags, context, bodies.keys());
          seen[answer.status as 200 | 304]++;
          expect(answer.tag).toBe(now.tag);
          if (answer.status === 304) expect(bodies.get(answer.tag)).toBe(now.body);
          else expect(answer.body).toBe(now.body);
          bodies.set(now.tag, now.body);
        }
      },
    ),
    { numRuns: 150 },
  );
  expect(Math.min(seen[200], seen[304])).toBeGreaterThan(10);
  expect(new Set(bodies.values()).size).toBeGreaterThan(10);
}, 30_000);

test("a 304 costs no evaluation", async () => {
  await using flags = await start();
  flags.load();
  const evaluated = (): Promise<number> =>
    flags.metric('posthouse_flags_evaluations_total{environment="shop:prod"}');
  const { tag } = await ask(flags, { targetingKey: "u-101" }, []);
  expect(await evaluated()).toBe(2);
  expect((await ask(flags, { targetingKey: "u-101" }, [tag])).status).toBe(304);
  expect(await evaluated()).toBe(2);
});
