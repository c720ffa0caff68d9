import { exampleDump } from "@posthouse/testkit/featbit/example";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { describeFlags } from "../../src/flags/status.ts";
import { type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const keys = [
  { key: "rp-shop", environments: ["shop:prod"] },
  { key: "rp-all" },
  { key: "rp-none", environments: ["x:y"] },
];

async function start(): Promise<FlagsHarness & { readonly other: string }> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const other = world.addEnvironment({ flags: makeFlags(2, { segments: 0 }).featureFlags });
  const flags = await startFlags({ world, config: { relay_keys: keys } });
  flags.load();
  return Object.assign(flags, { other: other.envId });
}

const relay = (key: string): string => `type=relay-proxy&token=${key}`;

test("another agent gets all of its environments, keys included", async () => {
  await using flags = await start();
  const agent = await flags.open(relay("rp-shop"));
  expect(await agent.sync(0)).toEqual({ eventType: "rp_full", items: exampleDump().items });
  const all = await (await flags.open(relay("rp-all"))).sync(0);
  expect(all.items.map((each: { envId: string }) => each.envId)).toEqual([envId, flags.other]);
});

test("it gets what is newer by environment, without keys, and each change as it comes", async () => {
  await using flags = await start();
  const agent = await flags.open(relay("rp-all"));
  const [first] = exampleDump().items;
  agent.send({
    messageType: "data-sync",
    data: { timestamp: 1740902400000, envs: [{ envId: envId.toUpperCase(), timestamp: 1740824430456 }] },
  });
  const { eventType, items } = await agent.nextData();
  expect(eventType).toBe("rp_patch");
  expect(items[0]).toEqual({ envId, secrets: [], featureFlags: [first?.featureFlags[1]], segments: [] });
  expect(items[1]).toMatchObject({ envId: flags.other, secrets: [], featureFlags: [{}, {}] });
  const flag = {
    ...flags.world.flag(envId, "banner-text"),
    isEnabled: false,
    updatedAt: "2026-01-01T00:00:00Z",
  };
  flags.store.patch([{ featureFlags: [flag], segments: [] }]);
  expect(await agent.nextData()).toEqual({ eventType: "patch", featureFlags: [flag], segments: [] });
});

test("a new key and a vanished flag are told by a full sync", async () => {
  await using flags = await start();
  const agent = await flags.open(relay("rp-shop"));
  await agent.sync(0);
  const added = flags.world.addSecret(envId, "client");
  flags.load();
  const full = await agent.nextData();
  expect(full.eventType).toBe("rp_full");
  expect(full.items[0].secrets).toContainEqual(added);
  flags.world.deleteFlag(envId, "banner-text");
  flags.load();
  expect(await agent.nextData()).toMatchObject({ eventType: "rp_full", items: [{ featureFlags: [{}] }] });
});

test("a key without an environment may come back later", async () => {
  await using flags = await start();
  expect((await (await flags.open(relay("rp-none"))).closed)[0]).toBe(1013);
});

test("agents register, report, and show in the status", async () => {
  await using flags = await start();
  const register = (key: string, body: string): Promise<Response> =>
    fetch(`${flags.url}/api/public/agent/register`, {
      method: "POST",
      headers: { authorization: key, "content-type": "application/json; charset=utf-8" },
      body,
    });
  expect((await register("rp-other", '"agent-1"')).status).toBe(401);
  expect((await register("rp-shop", "{}")).status).toBe(400);
  const answer = await register("rp-shop", '"agent-1"');
  expect([answer.status, await answer.text()]).toEqual([200, "agent-1"]);
  expect(answer.headers.get("content-type")).toContain("text/plain");
  const agent = await flags.open(relay("rp-shop"));
  agent.send({
    messageType: "rp-agent-status",
    data: { agentId: "agent-1", status: '{"serves":"shop:prod"}' },
  });
  expect(await agent.isQuiet()).toBe(true);
  expect(describeFlags(flags.source, flags.listener)).toMatchObject({
    agents: { "agent-1": { registeredAt: expect.any(Date), status: '{"serves":"shop:prod"}' } },
    relays: [{ scope: "shop:prod", sessions: 1 }],
  });
});
