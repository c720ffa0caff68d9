import { afterAll, beforeAll, expect, test } from "vitest";
import { createFakeFeatbit, type FakeFeatbit } from "../../src/featbit/fake.ts";
import { makeFlags } from "../../src/featbit/generate.ts";
import { type Swarm, startSwarm, steadyNow } from "../../src/featbit/swarm.ts";
import { type Environment, timestampOf } from "../../src/featbit/world.ts";

const deadlineMs = 10_000;
const [clients, servers, flagCount] = [70, 30, 20];
let featbit: FakeFeatbit;
let environment: Environment;
let swarm: Swarm;

beforeAll(async () => {
  featbit = await createFakeFeatbit();
  const { featureFlags: flags, segments } = makeFlags(flagCount);
  environment = featbit.world.addEnvironment({ flags, segments });
  swarm = await startSwarm();
});
afterAll(async () => {
  await swarm[Symbol.asyncDispose]();
  await featbit[Symbol.asyncDispose]();
});

const group = (kind: "client" | "server", count: number) => ({
  kind,
  count,
  url: featbit.streamingUrl,
  secret: environment.secrets.find(({ type }) => type === kind)?.value ?? "",
  flags: flagCount,
});

// One swarm's life: each step begins where the one before ended.

test("it connects at a rate, and everyone gets the flags", async () => {
  const began = steadyNow();
  await swarm.connect({ ...group("client", clients), ratePerSecond: 1000, users: 50 });
  await swarm.connect(group("server", servers));
  const synced = await swarm.awaitSynced(deadlineMs);
  expect(synced).toMatchObject({ count: clients + servers, missing: 0 });
  expect(synced.first).toBeGreaterThan(began);
  expect(synced.last).toBeGreaterThanOrEqual(synced.median);
  expect(await swarm.report()).toMatchObject({
    open: clients + servers,
    synced: clients + servers,
    messages: { full: clients + servers, patch: 0, other: 0 },
    wrong: 0,
    refusals: {},
  });
  expect(featbit.sdkSockets).toBe(clients + servers);
});

test("a change arrives at all, and the time of each is known", async () => {
  const changed = steadyNow();
  const flag = featbit.world.patchFlag(environment.envId, "flag-3", { isEnabled: false });
  const arrived = await swarm.awaitVersion(timestampOf(flag), deadlineMs);
  expect(arrived).toMatchObject({ count: clients + servers, missing: 0 });
  expect(arrived.first).toBeGreaterThan(changed);
  const [segment] = environment.segments.values();
  const told = featbit.world.patchSegment(environment.envId, segment?.id ?? "", { included: ["user-1"] });
  expect(await swarm.awaitVersion(timestampOf(told), deadlineMs)).toMatchObject({ missing: 0 });
  expect(await swarm.awaitVersion(timestampOf(told) + 1, 50)).toMatchObject({ count: 0 });
});

test("duplicates, wrong counts and strange messages are told", async () => {
  const before = await swarm.report();
  const flag = featbit.world.flag(environment.envId, "flag-3");
  featbit.pushAgain(environment.envId, "flag", flag.id, 0);
  featbit.world.setFlag(environment.envId, { ...flag, id: "one-more", key: "one-more" });
  await swarm.awaitVersion(timestampOf(featbit.world.flag(environment.envId, "one-more")), deadlineMs);
  await swarm.reconnect("zero");
  await swarm.awaitSynced(deadlineMs);
  const after = await swarm.report();
  expect(after.stalePatches - before.stalePatches).toBe(clients + servers);
  expect(after.wrong).toBe(clients + servers);
  expect(after.wrongSamples[0]).toMatch(/^\w+ \d+: 21 flags: \{"messageType":"data-sync"/);
  featbit.world.deleteFlag(environment.envId, "one-more");
});

test("all reconnect at once and ask for what is newer", async () => {
  const { messages } = await swarm.report();
  await swarm.reconnect("last");
  expect(await swarm.awaitSynced(deadlineMs)).toMatchObject({ count: clients + servers, missing: 0 });
  const after = await swarm.report();
  expect(after.messages.full).toBe(messages.full);
  expect(after.messages.patch - messages.patch).toBe(clients + servers);
  expect(after.closes).toEqual({});
});

test("some stop reading; the others go on, and it is seen when they are dropped", async () => {
  await swarm.freeze(10);
  const flag = featbit.world.patchFlag(environment.envId, "flag-4", { isEnabled: false });
  const reading = clients + servers - 10;
  expect(await swarm.awaitVersion(timestampOf(flag), deadlineMs)).toMatchObject({
    count: reading,
    missing: 0,
  });
  expect(await swarm.report()).toMatchObject({ frozen: 10, open: clients + servers });
  expect(await swarm.droppedFrozen()).toBe(0);
  featbit.close(1006);
  expect(await swarm.droppedFrozen()).toBe(10);
});

test("those that come back do so as SDKs do; the codes of closes and refusals are counted", async () => {
  await using own = await startSwarm();
  await own.connect({ ...group("client", 5), comesBack: true });
  await own.awaitSynced(deadlineMs);
  featbit.faults.upgrade = { status: 503 };
  featbit.close(1001);
  await expect.poll(async () => (await own.report()).refusals["503"], { timeout: deadlineMs }).toBe(5);
  featbit.faults.upgrade = undefined;
  await expect.poll(async () => (await own.report()).synced, { timeout: deadlineMs }).toBe(5);
  featbit.close(4003);
  await expect
    .poll(async () => (await own.report()).closes, { timeout: deadlineMs })
    .toEqual({ 1001: 5, 4003: 5 });
  expect((await own.awaitVersion(Date.now() * 2, 1)).missing).toBe(5);
});

test("a wrong secret gets no answer", async () => {
  await using own = await startSwarm();
  await own.connect({ ...group("client", 3), secret: group("server", 1).secret });
  expect(await own.awaitSynced(100)).toMatchObject({ count: 0, missing: 3 });
  await expect.poll(async () => (await own.report()).closes, { timeout: deadlineMs }).toEqual({ 4003: 3 });
});
