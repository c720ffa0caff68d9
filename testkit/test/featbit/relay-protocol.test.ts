import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, expect, test } from "vitest";
import { exampleDump } from "../../src/featbit/example.ts";
import { createFakeFeatbit, type FakeFeatbit } from "../../src/featbit/fake.ts";
import { makeFlags } from "../../src/featbit/generate.ts";
import type { Flag, Segment } from "../../src/featbit/shapes.ts";
import { dumpDifferences } from "../../src/featbit/truth.ts";
import type { Environment } from "../../src/featbit/world.ts";
import { until } from "../../src/until.ts";
import { connectRelay, fullRequest } from "./relay-client.ts";

let featbit: FakeFeatbit;
let environment: Environment;
let key: string;

beforeEach(async () => {
  featbit = await createFakeFeatbit();
  const { featureFlags: flags, segments } = makeFlags(4);
  environment = featbit.world.addEnvironment({ envKey: "dev", serverSecrets: 2, flags, segments });
  key = featbit.world.addRelayKey();
  return () => featbit[Symbol.asyncDispose]();
});

const register = (authorization: string, body: string, type = "application/json; charset=utf-8") =>
  fetch(`${featbit.eventUrl}/api/public/agent/register`, {
    method: "POST",
    headers: { authorization, "content-type": type },
    body,
  });

test("an agent registers, again and again, and the quota counts its id once", async () => {
  featbit.quota = 2;
  for (const id of ["a", "a", "b"]) {
    const response = await register(key, JSON.stringify(id));
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
    expect(await response.text()).toBe(id);
  }
  // At the quota FeatBit refuses known agents too.
  expect((await register(key, '"a"')).status).toBe(403);
  expect([...featbit.agents.keys()]).toEqual(["a", "b"]);
});

test("registration refuses wrong keys, and before that wrong bodies", async () => {
  expect((await register("rp-unknown", '"a"')).status).toBe(401);
  expect((await register(environment.secrets[0]?.value ?? "", '"a"')).status).toBe(401);
  expect((await register("rp-unknown", "a")).status).toBe(400);
  expect((await register("rp-unknown", "{}")).status).toBe(400);
  expect((await register(key, '"a"', "text/plain")).status).toBe(415);
  expect(featbit.registrations.map(({ status }) => status)).toEqual([401, 401, 400, 400, 415]);
});

test("a full answer holds everything, in the bytes of the server", async () => {
  using relay = await connectRelay(featbit, key);
  relay.send(fullRequest);
  const { data } = await relay.message(0);
  expect(data).toEqual(JSON.parse(JSON.stringify(featbit.world.dump())));
  expect(relay.received[0]).toMatch(
    /^\{"messageType":"data-sync","data":\{"eventType":"rp_full","items":\[\{"envId":"[^"]+","secrets":\[\{"type":"server",/,
  );
  expect(relay.received[0]).not.toMatch(/[^ -~]/);
  expect(dumpDifferences(featbit.world.dump(), data as never)).toEqual([]);
});

test("a patch answers per server secret, without secrets, what is newer", async () => {
  const [first, second] = [...environment.flags.values()] as [Flag, Flag];
  const other = featbit.world.addEnvironment({ flags: [first] });
  featbit.world.setScope(key, [environment.envId, other.envId]);
  using relay = await connectRelay(featbit, key);
  const since = Date.parse([...environment.flags.values()].at(-1)?.updatedAt ?? "");
  featbit.world.patchFlag(environment.envId, second.key, { isEnabled: false });
  const envs = [{ envId: environment.envId.toUpperCase(), timestamp: since }];
  relay.send({ messageType: "data-sync", data: { timestamp: since, envs } });
  const { data } = await relay.message(2);
  const changed = { secrets: [], featureFlags: [environment.flags.get(second.id)], segments: [] };
  expect(data).toEqual({
    eventType: "rp_patch",
    items: [
      { envId: environment.envId, ...changed },
      { envId: environment.envId, ...changed },
      { envId: other.envId, secrets: [], featureFlags: [{ ...first, envId: other.envId }], segments: [] },
    ],
  });
});

test("one change is pushed once per server secret, and only what changed", async () => {
  using relay = await connectRelay(featbit, key);
  const segment = [...environment.segments.values()][0] as Segment;
  const flags = featbit.world.flagsWith(environment.envId, segment.id);
  const changed = featbit.world.patchSegment(environment.envId, segment.id, { included: ["somebody"] });
  const flag = featbit.world.archiveFlag(environment.envId, "flag-1");
  await relay.message(3);
  const patch = (lists: object) =>
    JSON.stringify({ messageType: "data-sync", data: { eventType: "patch", ...lists } });
  const parsed = relay.received.map((text) => JSON.stringify(JSON.parse(text)));
  const ofSegment = patch({ featureFlags: [], segments: [changed] });
  const ofFlag = patch({ featureFlags: [flag], segments: [] });
  expect(parsed).toEqual([ofSegment, ofSegment, ofFlag, ofFlag]);
  // The database has new times for the flags that refer to the segment; a full answer shows them.
  expect(flags.length).toBeGreaterThan(1);
  for (const { id } of flags) {
    expect(featbit.world.environment(environment.envId).flags.get(id)?.updatedAt).toBe(changed.updatedAt);
  }
});

test("secrets, scopes and deletions are not pushed", async () => {
  using relay = await connectRelay(featbit, key);
  const added = featbit.world.addEnvironment({ flags: [...environment.flags.values()] });
  featbit.world.setScope(key, [environment.envId, added.envId]);
  featbit.world.addSecret(environment.envId, "server");
  featbit.world.deleteFlag(environment.envId, "flag-0");
  featbit.world.patchFlag(added.envId, "flag-1", { isEnabled: false });
  relay.send({ messageType: "ping", data: {} });
  expect((await relay.message(0)).messageType).toBe("pong");
  relay.send(fullRequest);
  await relay.message(1);
  expect(dumpDifferences(featbit.world.dump(), JSON.parse(relay.received[1] ?? "").data)).toEqual([]);
});

test("ping, echo and status; what is unknown is ignored", async () => {
  await register(key, '"agent-1"');
  using relay = await connectRelay(featbit, key);
  relay.ws.send("not JSON");
  relay.ws.send("[]");
  relay.send({ messageType: "surprise", data: {} });
  relay.send({ messageType: "ping" });
  relay.send({ messageType: "data-sync", data: { timestamp: "0" } });
  relay.send({ messageType: "rp-agent-status", data: { agentId: "agent-1", status: '{"serves":""}' } });
  relay.send({ messageType: "echo", data: { a: 1 } });
  relay.ws.send(Buffer.from('{"MessageType":"ping","data":null}'), { binary: true });
  await relay.message(1);
  expect(relay.received).toEqual([
    '{"messageType":"echo","data":{"a":1}}',
    '{"messageType":"pong","data":{}}',
  ]);
  expect(featbit.agents.get("agent-1")?.status).toBe('{"serves":""}');
});

test("a message of more than four reads of 2,048 bytes is dropped without a word", async () => {
  using relay = await connectRelay(featbit, key);
  const padded = (bytes: number) => {
    const bare = JSON.stringify({ messageType: "echo", data: "" });
    return JSON.stringify({ messageType: "echo", data: "x".repeat(bytes - bare.length) });
  };
  relay.ws.send(padded(8193));
  relay.ws.send(padded(8192));
  const text = padded(1000);
  for (const end of [10, 20, 30, 40]) relay.ws.send(text.slice(end - 10, end), { fin: false });
  relay.ws.send(text.slice(40));
  relay.send({ messageType: "ping", data: {} });
  await relay.message(1);
  expect(relay.received.map(({ length }) => length)).toEqual([8192, 32]);
  expect(featbit.messages.map(({ isDropped }) => isDropped)).toEqual([true, false, true, false]);
});

test.each(["an unknown key", "a scope without server secrets"])("%s gets 4003", async (what) => {
  const lonely = featbit.world.addEnvironment({ serverSecrets: 0 });
  const scoped = featbit.world.addRelayKey([lonely.envId]);
  using relay = await connectRelay(featbit, what === "an unknown key" ? "rp-x" : scoped);
  expect(await relay.closed).toBe(4003);
});

test("the socket's path keeps a prefix, registration does not", async () => {
  await using prefixed = await createFakeFeatbit({ prefix: "/els" });
  prefixed.world.addEnvironment();
  using relay = await connectRelay(prefixed, prefixed.world.addRelayKey());
  relay.send({ messageType: "ping", data: {} });
  expect((await relay.message(0)).messageType).toBe("pong");
  expect(new URL(prefixed.eventUrl).pathname).toBe("/");
});

test("insights are kept as they came", async () => {
  const secret = environment.secrets[0]?.value ?? "";
  const post = (authorization: string, body: string) =>
    fetch(`${featbit.eventUrl}/api/public/insight/track`, {
      method: "POST",
      headers: { authorization, "content-type": "application/json", "user-agent": "featbit-agent" },
      body,
    });
  expect((await post(secret, '[{"user":{}}]')).status).toBe(200);
  expect((await post("nobody", "[]")).status).toBe(401);
  expect((await post(secret, "[")).status).toBe(400);
  expect(featbit.insights.map(({ status, body }) => [status, body])).toEqual([
    [200, '[{"user":{}}]'],
    [401, "[]"],
    [400, "["],
  ]);
  expect(featbit.insights[0]).toMatchObject({
    authorization: secret,
    headers: { "user-agent": "featbit-agent" },
  });
});

test("the Sync button asks for life, then sends everything", async () => {
  await using own = await createFakeFeatbit();
  own.world.load(exampleDump());
  const itsKey = own.world.addRelayKey();
  const asked: string[] = [];
  const agent = createServer(async (request, response) => {
    const pieces = await request.toArray();
    asked.push(`${request.method} ${request.url} ${request.headers.authorization} ${pieces.join("")}`);
    response.end(request.method === "GET" ? "Healthy" : '{"serves":"shop:prod","dataVersion":1740902400000}');
  }).listen(0, "127.0.0.1");
  await once(agent, "listening");
  const url = `http://127.0.0.1:${(agent.address() as AddressInfo).port}`;
  expect(await own.sync(`${url}/`, itsKey)).toEqual({
    availability: 200,
    status: 200,
    serves: "shop:prod",
    dataVersion: 1740902400000,
  });
  agent.closeAllConnections();
  agent.close();
  expect(asked[0]).toBe("GET //health/liveness undefined ");
  const [line, authorization, body = ""] = /^(POST \S+) (\S+) (.*)$/.exec(asked[1] ?? "")?.slice(1) ?? [];
  expect([line, authorization]).toEqual(["POST //api/public/proxy/bootstrap", itsKey]);
  expect(dumpDifferences(own.world.dump(), JSON.parse(body))).toEqual([]);
  expect(body).toContain('"isEnvironmentSpecific":true');
  await until("nobody listens", async () => (await own.sync(url, itsKey)).status === undefined);
  expect((await own.sync(url, itsKey)).availability).toBe(503);
});
