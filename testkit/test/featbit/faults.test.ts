import { once } from "node:events";
import { beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createFakeFeatbit, type FakeFeatbit } from "../../src/featbit/fake.ts";
import { type Spoiling, spoilings } from "../../src/featbit/faults.ts";
import { makeFlags } from "../../src/featbit/generate.ts";
import type { Environment } from "../../src/featbit/world.ts";
import { until } from "../../src/until.ts";
import { connectRelay, fullRequest, type RelayClient } from "./relay-client.ts";

let featbit: FakeFeatbit;
let environment: Environment;
let key: string;
const ping = { messageType: "ping", data: {} };

beforeEach(async () => {
  featbit = await createFakeFeatbit();
  const { featureFlags: flags, segments } = makeFlags(3);
  environment = featbit.world.addEnvironment({ flags, segments });
  key = featbit.world.addRelayKey();
  return () => featbit[Symbol.asyncDispose]();
});

const patch = (isEnabled: boolean, name = "flag-0") =>
  featbit.world.patchFlag(environment.envId, name, { isEnabled });

/** Keys and times of pushed flags, in order of arrival, once there are so many. */
async function pushed(relay: RelayClient, count: number): Promise<string[]> {
  await relay.message(count - 1);
  return relay.received.map((text) => {
    const { key, updatedAt } = JSON.parse(text).data.featureFlags[0];
    return `${key} ${updatedAt}`;
  });
}

test("pushes are duplicated", async () => {
  featbit.faults.duplicates = 2;
  using relay = await connectRelay(featbit, key);
  const { updatedAt } = patch(false);
  expect(await pushed(relay, 3)).toEqual(Array(3).fill(`flag-0 ${updatedAt}`));
});

test("pushes wait and come last first; an old version comes again", async () => {
  using relay = await connectRelay(featbit, key);
  featbit.hold();
  const times = [patch(false), patch(true), patch(false, "flag-1")].map(
    ({ key, updatedAt }) => `${key} ${updatedAt}`,
  );
  featbit.release("reversed");
  expect(await pushed(relay, 3)).toEqual(times.toReversed());
  const { id } = featbit.world.flag(environment.envId, "flag-0");
  featbit.pushAgain(environment.envId, "flag", id, -2);
  expect((await pushed(relay, 4))[3]).toBe(times[0]);
});

test("answers come in reversed order", async () => {
  using relay = await connectRelay(featbit, key);
  featbit.faults.reversed = true;
  relay.send(fullRequest);
  const { data } = await relay.message(0);
  const { featureFlags } = data.items[0] as unknown as { featureFlags: { key: string }[] };
  expect(featureFlags.map((flag) => flag.key)).toEqual(["flag-2", "flag-1", "flag-0"]);
});

test.each(spoilings)("one flag among good ones %s", async (how: Spoiling) => {
  using relay = await connectRelay(featbit, key);
  const { id } = featbit.world.flag(environment.envId, "flag-1");
  featbit.faults.spoilt.set(id, how);
  relay.send(fullRequest);
  patch(false, "flag-1");
  const { items } = (await relay.message(1)).data;
  expect(relay.received[0]).toContain('"patch"');
  const { featureFlags } = items[0] as unknown as { featureFlags: unknown[] };
  const all = [...featbit.world.environment(environment.envId).flags.values()];
  expect(featureFlags[0]).toEqual(all[0]);
  expect(featureFlags[1]).not.toEqual(all[1]);
  expect(featureFlags[2]).toEqual(all[2]);
});

test("half a message arrives, then the connection is reset", async () => {
  using relay = await connectRelay(featbit, key);
  featbit.faults.cuts = 1;
  relay.send(fullRequest);
  expect(await relay.closed).toBe(1006);
  expect(relay.received).toEqual([]);
  using next = await connectRelay(featbit, key);
  next.send(fullRequest);
  expect((await next.message(0)).data.items).toHaveLength(1);
});

test("silence: no answers, no pushes, no pongs of either kind, and the socket stays", async () => {
  using relay = await connectRelay(featbit, key);
  featbit.faults.silent = true;
  let pongs = 0;
  relay.ws.on("pong", () => pongs++);
  relay.ws.ping();
  relay.send(ping);
  relay.send(fullRequest);
  await until("they arrived", async () => featbit.messages.length === 2);
  patch(false);
  featbit.faults.silent = false;
  relay.ws.ping();
  relay.send(ping);
  expect((await relay.message(0)).messageType).toBe("pong");
  await until("a pong", async () => pongs > 0);
  expect([pongs, relay.received.length, featbit.agentSockets]).toEqual([1, 1, 1]);
});

test.each([1000, 1001, 1011, 4003, 1006])("sockets are closed with %i", async (code) => {
  using relay = await connectRelay(featbit, key);
  featbit.close(code);
  expect(await relay.closed).toBe(code);
  await until("it is gone", async () => featbit.agentSockets === 0);
});

test.each([429, 503])("the upgrade is answered with %i", async (status) => {
  featbit.faults.upgrade = { status, retryAfter: "7" };
  const ws = new WebSocket(`${featbit.streamingUrl}/streaming?type=relay-proxy&token=${key}`);
  ws.on("error", () => {});
  const [, response] = await once(ws, "unexpected-response");
  expect(response.statusCode).toBe(status);
  expect(response.headers["retry-after"]).toBe("7");
  ws.terminate();
});

test("the upgrade hangs, is reset, or ends in a close", async () => {
  featbit.faults.upgrade = "hang";
  const ws = new WebSocket(`${featbit.streamingUrl}/streaming?type=relay-proxy&token=${key}`);
  ws.on("error", () => {});
  await until("it was asked for", async () => featbit.upgrades.length === 1);
  expect(ws.readyState).toBe(WebSocket.CONNECTING);
  ws.terminate();
  featbit.faults.upgrade = "reset";
  expect(await (await connectRelay(featbit, key)).closed).toBe(1006);
  featbit.faults.upgrade = { close: 1000 };
  expect(await (await connectRelay(featbit, key)).closed).toBe(1000);
});

test("nobody listens, then it is back at the same address", async () => {
  using relay = await connectRelay(featbit, key);
  await featbit.refuse();
  expect(await relay.closed).toBe(1006);
  await expect(fetch(`${featbit.eventUrl}/health/liveness`)).rejects.toThrow();
  await featbit.comeBack();
  using next = await connectRelay(featbit, key);
  next.send(ping);
  expect((await next.message(0)).messageType).toBe("pong");
});

test("a full answer lacks an environment that is still in scope", async () => {
  const other = featbit.world.addEnvironment();
  featbit.world.setScope(key, [environment.envId, other.envId]);
  using relay = await connectRelay(featbit, key);
  featbit.faults.omitted.add(environment.envId);
  relay.send(fullRequest);
  expect((await relay.message(0)).data.items).toMatchObject([{ envId: other.envId }]);
  expect(featbit.world.dump().items).toHaveLength(2);
});

test.each(["featureFlags", "segments"] as const)("answers and pushes lack %s", async (list) => {
  using relay = await connectRelay(featbit, key);
  featbit.faults.lacking = list;
  patch(false);
  relay.send(fullRequest);
  const { data } = await relay.message(1);
  expect(Object.keys(data.items[0] ?? {})).not.toContain(list);
  expect(JSON.parse(relay.received[0] ?? "").data).not.toHaveProperty(list);
});

test("answers are slow", async () => {
  using relay = await connectRelay(featbit, key);
  featbit.faults.delayMs = 50;
  relay.send(ping);
  await until("it arrived", async () => featbit.messages.length === 1);
  patch(false);
  await relay.message(1);
  expect(JSON.parse(relay.received[0] ?? "").messageType).toBe("data-sync");
});

test("anything at all is sent", async () => {
  using relay = await connectRelay(featbit, key);
  const kinds: boolean[] = [];
  relay.ws.on("message", (_, isBinary) => kinds.push(isBinary));
  featbit.send('{"messageType":"data-sync","data":{"eventType":"rp_surprise","items":[]}}');
  featbit.send("not JSON");
  featbit.send("");
  featbit.send(new Uint8Array([0xff]));
  await until("all are there", async () => relay.received.length === 4);
  expect(kinds).toEqual([false, false, false, true]);
});

test("registration and insights fail as told, with and without having been taken", async () => {
  const register = () =>
    fetch(`${featbit.eventUrl}/api/public/agent/register`, {
      method: "POST",
      headers: { authorization: key, "content-type": "application/json" },
      body: '"a"',
    });
  featbit.faults.register = { status: 429, retryAfter: "3", delayMs: 1 };
  const response = await register();
  expect([response.status, response.headers.get("retry-after")]).toEqual([429, "3"]);
  featbit.faults.register = { reset: true };
  await expect(register()).rejects.toThrow();
  expect(featbit.registrations.map(({ status }) => status)).toEqual([429, undefined]);

  const track = (signal?: AbortSignal) =>
    fetch(`${featbit.eventUrl}/api/public/insight/track`, {
      method: "POST",
      headers: { authorization: environment.secrets[0]?.value ?? "", "content-type": "application/json" },
      body: "[]",
      signal: signal ?? null,
    });
  featbit.faults.insights = { status: 503 };
  expect((await track()).status).toBe(503);
  featbit.faults.insights = { reset: true, afterTaking: true };
  await expect(track()).rejects.toThrow();
  featbit.faults.insights = { hang: true, afterTaking: true };
  await expect(track(AbortSignal.timeout(100))).rejects.toThrow();
  expect(featbit.insights.map(({ status }) => status)).toEqual([503, 200, 200]);
});
