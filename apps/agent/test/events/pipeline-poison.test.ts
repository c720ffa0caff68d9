/** What can never be delivered becomes a dead letter with all that was received; its neighbours arrive, and nothing stalls. */
import { deflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { decodeMessage, encodeMessage } from "../../src/events/spooled-message.ts";
import { amqp, taskEvent, workerEvent } from "./captures.ts";
import {
  clocksOf,
  eventsOf,
  leekApi,
  leekSink,
  numberedEvent,
  subject,
  webhook,
  webhookSink,
} from "./pipeline-harness.ts";

const sent = JSON.stringify(taskEvent({ uuid: "poison" }));
const without = (field: string): string => JSON.stringify({ ...taskEvent(), [field]: undefined });
const withText = (field: string, json: string): string => `${sent.slice(0, -1)},"${field}":${json}}`;
const raw = (body: Uint8Array | string, changes: object = {}): BrokerMessage => {
  return { transport: "amqp", body: Buffer.from(body as string), ...changes };
};

/** Each as a message of its own, then as one of three events of a list. */
const poisons: readonly (readonly [what: string, json: string, reason: string])[] = [
  ["an unknown type", JSON.stringify(taskEvent({ type: "foo-bar" })), "unknown-type"],
  ["no hostname", without("hostname"), "missing-field"],
  ["an eta that is no time", withText("eta", '"tomorrow"'), "invalid-field"],
  ["an expires that is no time", withText("expires", '"soon"'), "invalid-field"],
  ["a number", "5", "not-an-event"],
  ["null", "null", "not-an-event"],
  ["a text", '"task-sent"', "not-an-event"],
  ["true", "true", "not-an-event"],
  ["an empty object", "{}", "unknown-type"],
  ["no uuid", without("uuid"), "missing-field"],
  ["no timestamp", without("timestamp"), "missing-field"],
  ["NaN", withText("timestamp", "NaN"), "invalid-field"],
  ["Infinity", withText("runtime", "-Infinity"), "invalid-field"],
  ["a date beyond all", withText("timestamp", "1e300"), "invalid-field"],
  ["a huge int", withText("clock", "12345678901234567890"), "invalid-field"],
  ["a fraction as pid", withText("pid", "5.5"), "invalid-field"],
  ["null as name", withText("name", "null"), "invalid-field"],
  ["a list as args", withText("args", "[1, 2]"), "invalid-field"],
  ["a worker without software", JSON.stringify({ ...workerEvent(), sw_ver: undefined }), "missing-field"],
  [
    "an unknown field of a thousand levels",
    withText("x", `${"[".repeat(1000)}${"]".repeat(1000)}`),
    "invalid-field",
  ],
];
const messages: readonly (readonly [what: string, message: BrokerMessage, reason: string])[] = [
  ["no JSON", raw("hello", { contentType: "application/json" }), "not-json"],
  ["nothing", raw(""), "not-json"],
  ["a list cut off", raw(`[${sent},`), "not-json"],
  [
    "pickle",
    raw(Buffer.from("80049528", "hex"), { contentType: "application/x-python-serialize" }),
    "content-type",
  ],
  ["yaml", raw("type: task-sent", { contentType: "application/x-yaml" }), "content-type"],
  ["msgpack", raw(Buffer.from([0x81]), { contentType: "application/x-msgpack" }), "content-type"],
  ["a charset of nobody", raw(sent, { contentEncoding: "klingon" }), "content-encoding"],
  ["no UTF-8", raw(Buffer.from([0x22, 0xff, 0x22])), "not-text"],
  ["compressed", raw(deflateSync(sent), { compression: "application/x-gzip" }), "compression"],
  ["a hundred thousand brackets", raw("[".repeat(100_000)), "not-json"],
  ["a list within a list", amqp(`[[${sent}]]`), "not-an-event"],
  ["a list of a hundred thousand", amqp(`[${"5,".repeat(100_000)}5]`), "too-large"],
  ["no envelope", { transport: "redis", payload: Buffer.from(sent) }, "envelope"],
  ["an envelope of bytes", { transport: "redis", payload: Buffer.from([0xff, 0]) }, "envelope"],
  ["more than a record holds", raw("x".repeat(17 * 2 ** 20)), "too-large"],
];

const good = (clock: number): BrokerMessage => amqp(numberedEvent(clock, 1e6));

describe.each(["leek", "webhook"] as const)("poison on the way to a %s", (kind) => {
  async function start() {
    const api = await leekApi();
    const receiver = await webhook();
    const sink = kind === "leek" ? leekSink(api.url) : webhookSink(receiver.url);
    const events = await subject({ sink, maxEvents: 4 });
    const arrived = (): number[] =>
      kind === "leek" ? api.stored.map(({ clock }) => Number(clock)) : clocksOf(eventsOf(receiver));
    return { events, arrived };
  }

  it("never holds up what is before and after it", async () => {
    const { events, arrived } = await start();
    let clock = 0;
    for (const [, json] of poisons) {
      await events.take(good(clock++), amqp(json), good(clock++));
      const [before, after] = [numberedEvent(clock++, 1e6), numberedEvent(clock++, 1e6)];
      await events.take(
        amqp(`[${JSON.stringify(before)}, ${json.replace("w1@vm", "w2@vm")} ,${JSON.stringify(after)}]`),
      );
    }
    for (const [, message] of messages) await events.take(good(clock++), message, good(clock++));
    await events.settled();
    expect(arrived().toSorted((a, b) => a - b)).toEqual(Array.from({ length: clock }, (_, index) => index));
    const dead = events.dead();
    const reasons = [...poisons, ...messages].map(([, , reason]) => reason);
    expect(new Set(dead.map(({ reason }) => reason))).toEqual(new Set(reasons));
    // What comes twice alike is one letter that counts two.
    const count = dead.reduce((sum, letter) => sum + letter.count, 0);
    expect(count).toBe(2 * poisons.length + messages.length);
    expect(Object.values(events.pipeline.metrics().dead).reduce((sum, each) => sum + each, 0)).toBe(count);
  });

  it.each(messages)("%s: kept whole with its reason", async (what, message, reason) => {
    const { events } = await start();
    await events.take(message);
    await events.settled();
    const [letter] = events.dead();
    expect(letter).toMatchObject({ reason, count: 1, subscription: "leek-prod" });
    if (what !== "more than a record holds" && what !== "a list within a list")
      expect(Buffer.from(letter?.record ?? [])).toEqual(Buffer.from(encodeMessage(message)));
  });

  it.each(poisons)("%s: its text is kept as it was sent", async (_, json, reason) => {
    const { events } = await start();
    await events.take(amqp(`[${json}]`));
    await events.settled();
    const [letter] = events.dead();
    expect(letter).toMatchObject({ reason });
    const decoded = decodeMessage(letter?.record ?? new Uint8Array());
    if (decoded.kind !== "message" || decoded.message.transport !== "amqp") return expect.fail();
    expect(Buffer.from(decoded.message.body).toString()).toBe(json);
  });

  it("an empty list is nothing", async () => {
    const { events } = await start();
    await events.take(amqp("[]"));
    await events.settled();
    expect(events.dead()).toEqual([]);
    expect(events.pipeline.metrics()).toMatchObject({ messages: 1, events: 0 });
  });
});

it("a record of another version is kept, and nothing stops", async () => {
  const receiver = await webhook();
  const events = await subject({ sink: webhookSink(receiver.url) });
  await events.spool.append(Buffer.from([0x77, 1, 2, 3]));
  await events.take(good(1));
  await events.settled();
  expect(clocksOf(eventsOf(receiver))).toEqual([1]);
  expect(events.dead()).toMatchObject([{ reason: "unknown-record" }]);
});
