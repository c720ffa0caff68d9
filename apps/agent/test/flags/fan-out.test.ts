import { exampleDump, exampleUser } from "@posthouse/testkit/featbit/example";
import { makeFlags, makeUser } from "@posthouse/testkit/featbit/generate";
import { FeatbitWorld, timestampOf } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const segmentId = item?.segments[0]?.id ?? "";
const tester = { keyId: "tester-1", name: "T", customizedProperties: [] };

async function start(): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const flags = await startFlags({ world });
  flags.load();
  return flags;
}

const later = (seconds: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds)).toISOString();
const patchOf = (featureFlags: unknown[], segments: unknown[] = []) => ({ featureFlags, segments });

test("a flag goes to server SDKs as it came, alone, and to client SDKs as it is for their user", async () => {
  await using flags = await start();
  const [server, client] = [await flags.connect("server"), await flags.connect("client")];
  await server.sync(0);
  await client.sync(0, exampleUser);
  const flag = { ...flags.world.flag(envId, "banner-text"), isEnabled: false, updatedAt: later(1) };
  flags.store.patch([patchOf([flag])]);
  expect(await server.nextData()).toEqual({ eventType: "patch", featureFlags: [flag], segments: [] });
  expect(await client.nextData()).toMatchObject({
    eventType: "patch",
    userKeyId: "u-101",
    featureFlags: [{ id: "banner-text", matchReason: "flag disabled", timestamp: Date.parse(later(1)) }],
  });
});

test("a segment goes to server SDKs alone; client SDKs get the flags that name it, with its time", async () => {
  await using flags = await start();
  const [server, client] = [await flags.connect("server"), await flags.connect("client")];
  await server.sync(0);
  const before = await client.sync(0, tester);
  expect(before.featureFlags[0]).toMatchObject({ id: "new-checkout", matchReason: "default" });
  const segment = { ...item?.segments[0], included: ["tester-1"], updatedAt: later(2) };
  flags.store.patch([patchOf([], [segment])]);
  expect(await server.nextData()).toEqual({ eventType: "patch", featureFlags: [], segments: [segment] });
  const told = await client.nextData();
  const timestamp = Date.parse(later(2));
  expect(told.featureFlags).toMatchObject([
    { id: "new-checkout", variation: "true", matchReason: "Beta testers", timestamp },
  ]);
  // One that was away asks for what is newer than all it had: the flag's own time would hide the change (3.9).
  const back = await flags.connect("client");
  expect((await back.sync(1740902400000, tester)).featureFlags).toMatchObject([
    { id: "new-checkout", timestamp },
  ]);
});

test("a segment that no flag names is nothing to client SDKs", async () => {
  await using flags = await start();
  const client = await flags.connect("client");
  await client.sync(0, tester);
  const segment = { ...item?.segments[0], id: "8a9c7d10-9a33-4f52-b1de-aa0000000002", updatedAt: later(2) };
  flags.store.patch([patchOf([], [segment])]);
  expect(await client.isQuiet()).toBe(true);
});

test("the same patch again, an older one, and another environment's change tell nobody", async () => {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const other = world.addEnvironment({ flags: makeFlags(1, { segments: 0 }).featureFlags });
  await using flags = await startFlags({ world });
  flags.load();
  const [server, client] = [await flags.connect("server"), await flags.connect("client")];
  await server.sync(0);
  await client.sync(0, exampleUser);
  const flag = { ...flags.world.flag(envId, "banner-text"), isEnabled: false, updatedAt: later(5) };
  flags.store.patch([patchOf([flag])]);
  await server.next();
  await client.next();
  flags.store.patch([patchOf([flag])]);
  flags.store.patch([patchOf([{ ...flag, isEnabled: true, updatedAt: later(4) }])]);
  flags.store.patch([
    patchOf([{ ...world.flag(other.envId, "flag-0"), isEnabled: false, updatedAt: later(6) }]),
  ]);
  expect(await server.isQuiet()).toBe(true);
  expect(await client.isQuiet()).toBe(true);
});

test("a full sync tells those whose data changed what did, and all when something is gone", async () => {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const quiet = world.addEnvironment({ flags: makeFlags(1, { segments: 0 }).featureFlags });
  await using flags = await startFlags({ world });
  flags.load();
  const [server, client] = [await flags.connect("server"), await flags.connect("client")];
  const untouched = await flags.connect("server", quiet);
  for (const sdk of [server, untouched]) await sdk.sync(0);
  await client.sync(0, exampleUser);
  world.patchFlag(envId, "banner-text", { isEnabled: false });
  flags.load();
  expect(await server.nextData()).toMatchObject({
    eventType: "patch",
    featureFlags: [{ key: "banner-text" }],
  });
  expect(await client.nextData()).toMatchObject({
    eventType: "patch",
    featureFlags: [{ id: "banner-text" }],
  });
  world.deleteFlag(envId, "banner-text");
  flags.load();
  expect(await server.nextData()).toMatchObject({
    eventType: "full",
    featureFlags: [{ key: "new-checkout" }],
  });
  expect(await client.nextData()).toMatchObject({
    eventType: "full",
    featureFlags: [{ id: "new-checkout" }],
  });
  expect(await untouched.isQuiet()).toBe(true);
});

test("each later data-sync replaces the user", async () => {
  await using flags = await start();
  const client = await flags.connect("client");
  expect(await client.sync(0, exampleUser)).toMatchObject({ userKeyId: "u-101" });
  expect(await client.sync(0, tester)).toMatchObject({ userKeyId: "tester-1" });
  const flag = { ...flags.world.flag(envId, "banner-text"), isEnabled: false, updatedAt: later(1) };
  flags.store.patch([patchOf([flag])]);
  expect(await client.nextData()).toMatchObject({ userKeyId: "tester-1" });
});

test("who has not asked yet is told nothing; the first answer has it all", async () => {
  await using flags = await start();
  const [server, client] = [await flags.connect("server"), await flags.connect("client")];
  const flag = { ...flags.world.flag(envId, "banner-text"), isEnabled: false, updatedAt: later(1) };
  flags.store.patch([patchOf([flag])]);
  expect(await server.isQuiet()).toBe(true);
  expect(await client.isQuiet()).toBe(true);
  expect((await server.sync(0)).featureFlags).toContainEqual(flag);
});

test("what is archived is said to be", async () => {
  await using flags = await start();
  flags.world.archiveFlag(envId, "banner-text");
  flags.load();
  const data = await (await flags.connect("client")).sync(0, exampleUser);
  expect(data.featureFlags[1]).toMatchObject({
    variation: null,
    variationId: null,
    matchReason: "flag archived",
  });
});

test("many users, each gets their own, and all of what a segment touches in one message", async () => {
  const world = new FeatbitWorld();
  const { featureFlags, segments } = makeFlags(40, { segments: 2 });
  const environment = world.addEnvironment({ flags: featureFlags, segments });
  await using flags = await startFlags({ world });
  flags.load();
  const sdks = await Promise.all(
    Array.from({ length: 30 }, async (_, index) => {
      const sdk = await flags.connect("client");
      const data = await sdk.sync(0, makeUser(index));
      expect(data.userKeyId).toBe(`user-${index}`);
      expect(data.featureFlags).toHaveLength(40);
      return sdk;
    }),
  );
  const [first] = environment.segments.values();
  flags.store.patch([patchOf([], [{ ...first, included: ["user-3"], updatedAt: later(9) }])]);
  for (const [index, sdk] of sdks.entries()) {
    const data = await sdk.nextData();
    expect([data.userKeyId, data.featureFlags.length]).toEqual([`user-${index}`, 20]);
    expect(await sdk.isQuiet()).toBe(true);
  }
  const evaluations = `posthouse_flags_evaluations_total{environment="webapp:env-1"}`;
  expect(await flags.metric(evaluations)).toBe(30 * 40 + 30 * 20);
  expect(timestampOf({ updatedAt: later(9) })).toBeGreaterThan(0);
  expect(segmentId).not.toBe("");
});
