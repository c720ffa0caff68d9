import { exampleDump, exampleUser } from "@posthouse/testkit/featbit/example";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { type FlagsHarness, type RawSdk, startFlags } from "./harness.ts";

async function start(): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  const flags = await startFlags({ world });
  flags.load();
  return flags;
}

const pong = '{"messageType":"pong","data":{}}';

test.each(["null", "{}", '{"timestamp":0}', '"text"'])(
  "a ping with data %s gets the exact pong",
  async (data) => {
    await using flags = await start();
    const sdk = await flags.connect("server");
    sdk.send(`{"messageType":"ping","data":${data}}`);
    expect(await sdk.next()).toBe(pong);
  },
);

test("names are found in any case, and binary frames are read like text", async () => {
  await using flags = await start();
  const sdk = await flags.connect("server");
  sdk.send('{"MESSAGETYPE":"Ping","Data":null}');
  expect(await sdk.next()).toBe(pong);
  sdk.socket.send(Buffer.from('{"messageType":"ping","data":{}}'), { binary: true });
  expect(await sdk.next()).toBe(pong);
});

test("an echo comes back with its data", async () => {
  await using flags = await start();
  const sdk = await flags.connect("client");
  const text = '{"messageType":"echo","data":{"text":"zażółć","list":[1,2.5,null]}}';
  for (const part of [text.slice(0, 10), text.slice(10, 30)]) sdk.socket.send(part, { fin: false });
  sdk.socket.send(text.slice(30), { fin: true });
  expect(await sdk.next()).toBe(text);
});

test.each([
  ["too_large", `{"messageType":"echo","data":"${"x".repeat(8192)}"}`],
  ["too_large", `{"messageType":"echo","data":"${"x".repeat(500_000)}"}`],
  ["not_json", "{"],
  ["not_json", "ping"],
  ["no_type", "null"],
  ["no_type", "[1]"],
  ["no_type", '{"data":{}}'],
  ["no_type", '{"messageType":"ping"}'],
  ["no_type", '{"messageType":7,"data":{}}'],
  ["unknown_type", '{"messageType":"hello","data":{}}'],
  ["bad_timestamp", '{"messageType":"data-sync","data":{"timestamp":null}}'],
  ["bad_timestamp", '{"messageType":"data-sync","data":{"timestamp":"0"}}'],
  ["bad_timestamp", '{"messageType":"data-sync","data":null}'],
])("%s: dropped and counted, and the socket stays", async (reason, message) => {
  await using flags = await start();
  const sdk = await flags.connect("server");
  sdk.send(message);
  expect(await sdk.isQuiet()).toBe(true);
  const labels = `environment="shop:prod",kind="server",reason="${reason}"`;
  expect(await flags.metric(`posthouse_flags_messages_dropped_total{${labels}}`)).toBe(1);
});

test("a message of 8,192 bytes is read, an empty one is none", async () => {
  await using flags = await start();
  const sdk = await flags.connect("server");
  const frame = '{"messageType":"echo","data":""}';
  const message = frame.replace('""', `"${"x".repeat(8192 - frame.length)}"`);
  sdk.send("");
  sdk.send(message);
  expect(await sdk.next()).toBe(message);
});

const people: readonly (readonly [string, unknown])[] = [
  ["no user", undefined],
  ["a user that is no object", "u-1"],
  ["a blank keyId", { keyId: " " }],
  ["a property that is a number", { keyId: "u", customizedProperties: [{ name: "age", value: 36 }] }],
];

test.each(people)("a client's data-sync with %s is not answered", async (_, user) => {
  await using flags = await start();
  const sdk = await flags.connect("client");
  sdk.send({ messageType: "data-sync", data: { timestamp: 0, user } });
  expect(await sdk.isQuiet()).toBe(true);
});

const times: readonly (readonly [data: object, eventType: string, count: number])[] = [
  [{}, "full", 2],
  [{ timestamp: 0 }, "full", 2],
  [{ timestamp: 1.5 }, "full", 2],
  [{ timestamp: -1 }, "patch", 2],
  [{ timestamp: 1740824430456 }, "patch", 1],
  [{ timestamp: 1740902400000 }, "patch", 0],
];

async function ask(sdk: RawSdk, data: object): Promise<{ eventType: string; featureFlags: unknown[] }> {
  sdk.send({ messageType: "data-sync", data });
  return sdk.nextData();
}

test.each(times)(
  "a data-sync with %j is answered by a %s of %i flags, empty or not",
  async (data, type, count) => {
    await using flags = await start();
    const server = await ask(await flags.connect("server"), data);
    expect([server.eventType, server.featureFlags.length]).toEqual([type, count]);
    const client = await ask(await flags.connect("client"), { ...data, user: exampleUser });
    expect([client.eventType, client.featureFlags.length]).toEqual([type, count]);
    expect(client).toMatchObject({ userKeyId: "u-101" });
  },
);

test("what a user's key holds stays JSON", async () => {
  await using flags = await start();
  const keyId = 'q"\\ü\u2028😀';
  const sdk = await flags.connect("client");
  expect(await sdk.sync(0, { keyId, name: "N", customizedProperties: [] })).toMatchObject({
    userKeyId: keyId,
  });
});

test("two questions at once lose nothing: the answer does for both", async () => {
  await using flags = await start();
  const sdk = await flags.connect("server");
  sdk.send('{"messageType":"data-sync","data":{"timestamp":0}}');
  sdk.send('{"messageType":"data-sync","data":{"timestamp":1740902400000}}');
  expect(await sdk.nextData()).toMatchObject({ eventType: "full", featureFlags: [{}, {}] });
});
