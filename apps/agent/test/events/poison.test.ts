import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDocumentBatch } from "../../src/events/celery/batch.ts";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import type { PoisonReason } from "../../src/events/celery/poison.ts";
import { readEvents } from "../../src/events/celery/received-event.ts";
import { amqp, taskEvent, workerEvent } from "./captures.ts";

const good = [taskEvent({ uuid: "before" }), workerEvent(), taskEvent({ uuid: "after" })];
const sent = JSON.stringify(taskEvent());
const without = (field: string): string => JSON.stringify({ ...taskEvent(), [field]: undefined });
const withText = (field: string, json: string): string => `${sent.slice(0, -1)},"${field}":${json}}`;

/** The first eight are those that Leek's agent loses, drops others with, or stalls on. */
const events: readonly (readonly [what: string, json: string, reason: PoisonReason, detail: RegExp])[] = [
  [
    "task-cancelled",
    JSON.stringify(taskEvent({ type: "task-cancelled" })),
    "unknown-type",
    /^task-cancelled$/,
  ],
  ["a type of somebody's own", JSON.stringify(taskEvent({ type: "foo-bar" })), "unknown-type", /^foo-bar$/],
  ["a field too many", withText("shadow", '"x"'), "unknown-field", /^shadow$/],
  ["no hostname", without("hostname"), "missing-field", /^hostname$/],
  ["an eta that is no time", withText("eta", '"tomorrow"'), "invalid-field", /^eta: /],
  ["an expires that is no time", withText("expires", '"2026-02-30T00:00:00"'), "invalid-field", /^expires: /],
  ["a nested list", `[${sent}]`, "not-an-event", /^a list$/],
  ["a number", "5", "not-an-event", /^a number$/],
  ["a string", '"task-sent"', "not-an-event", /^a string$/],
  ["null", "null", "not-an-event", /^null$/],
  ["true", "true", "not-an-event", /^a boolean$/],
  ["an empty object", "{}", "unknown-type", /^there is no type$/],
  ["a type that is a number", withText("type", "7"), "unknown-type", /no type/],
  ["a type that every object has", withText("type", '"constructor"'), "unknown-type", /constructor/],
  ["no uuid", without("uuid"), "missing-field", /^uuid$/],
  ["no timestamp", without("timestamp"), "missing-field", /^timestamp$/],
  ["a timestamp that is text", withText("timestamp", '"1795223756.4"'), "invalid-field", /^timestamp: /],
  ["NaN as timestamp", withText("timestamp", "NaN"), "invalid-field", /^timestamp: /],
  ["Infinity as runtime", withText("runtime", "-Infinity"), "invalid-field", /^runtime: /],
  ["a timestamp beyond all dates", withText("timestamp", "1e300"), "invalid-field", /^timestamp: /],
  ["an int that no double holds", withText("clock", "12345678901234567890"), "invalid-field", /^clock: /],
  ["a pid with a fraction", withText("pid", "5.5"), "invalid-field", /^pid: /],
  ["a boolean as an int", withText("retries", "true"), "invalid-field", /^retries: /],
  ["null where it is not allowed", withText("name", "null"), "invalid-field", /^name: /],
  ["arguments as a list", withText("args", "[1, 2]"), "invalid-field", /^args: /],
  ["a number as eta", withText("eta", "1795223756"), "invalid-field", /^eta: /],
  ["a field named __proto__", withText("__proto__", '{"hostname":"x"}'), "unknown-field", /^__proto__$/],
  [
    "a worker without software",
    JSON.stringify({ ...workerEvent(), sw_ver: undefined }),
    "missing-field",
    /sw_ver/,
  ],
  [
    "a load average with NaN",
    JSON.stringify(workerEvent()).replace("}", ',"loadavg":[NaN]}'),
    "invalid-field",
    /loadavg/,
  ],
  [
    "a worker's event with a task's field",
    JSON.stringify({ ...workerEvent(), uuid: "x" }),
    "unknown-field",
    /^uuid$/,
  ],
];

const envelope = (changes: object): BrokerMessage => {
  const body = Buffer.from(sent).toString("base64");
  const properties = { body_encoding: "base64", delivery_tag: "x" };
  const payload = {
    body,
    "content-encoding": "utf-8",
    "content-type": "application/json",
    properties,
    ...changes,
  };
  const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
  return { transport: "redis", payload: Buffer.from(JSON.stringify(payload).replace('"DEEP"', deep)) };
};
const bytes = (body: Uint8Array, changes: object = {}): BrokerMessage => ({
  transport: "amqp",
  body,
  ...changes,
});

const messages: readonly (readonly [what: string, message: BrokerMessage, reason: PoisonReason])[] = [
  ["no JSON", amqp("hello"), "not-json"],
  ["a body that was cut off", amqp(sent.slice(0, -1)), "not-json"],
  ["two values", amqp(`${sent} ${sent}`), "not-json"],
  ["an empty body", amqp(""), "not-json"],
  ["a list that was cut off, with NaN", amqp(`[${withText("runtime", "NaN")}`), "not-json"],
  [
    "pickle",
    bytes(Buffer.from("80049528", "hex"), { contentType: "application/x-python-serialize" }),
    "content-type",
  ],
  ["yaml", bytes(Buffer.from("type: task-sent"), { contentType: "application/x-yaml" }), "content-type"],
  ["msgpack", bytes(Buffer.from([0x81]), { contentType: "application/x-msgpack" }), "content-type"],
  [
    "a charset that nobody knows",
    bytes(Buffer.from(sent), { contentEncoding: "klingon" }),
    "content-encoding",
  ],
  ["bytes that are no UTF-8", bytes(Buffer.from([0x22, 0xff, 0x22])), "not-text"],
  ["bytes that are no UTF-16", bytes(Buffer.from([0x00, 0xd8]), { contentEncoding: "utf-16" }), "not-text"],
  ["a compressed body", bytes(deflateSync(sent), { compression: "application/x-gzip" }), "compression"],
  ["a hundred thousand brackets", amqp("[".repeat(100_000)), "not-json"],
  ["a list of a hundred thousand numbers", amqp(`[${"5,".repeat(100_000)}5]`), "too-large"],
  ["17 MiB", bytes(Buffer.alloc(17 * 1024 * 1024, "[")), "too-large"],
  ["on Redis an event without envelope", { transport: "redis", payload: Buffer.from(sent) }, "envelope"],
  ["on Redis a list", { transport: "redis", payload: Buffer.from("[]") }, "envelope"],
  ["on Redis bytes", { transport: "redis", payload: Buffer.from([0xff, 0x00]) }, "envelope"],
  ["a body that is an object", envelope({ body: {} }), "envelope"],
  ["a body encoding that nobody knows", envelope({ properties: { body_encoding: "base85" } }), "envelope"],
  ["a body encoding nested without end", envelope({ properties: { body_encoding: "DEEP" } }), "envelope"],
  ["a compression that is no text", envelope({ headers: { compression: { toString: 1 } } }), "compression"],
  ["a body that is no base64", envelope({ body: "%%%" }), "not-json"],
  [
    "an envelope that names pickle",
    envelope({ "content-type": "application/x-python-serialize" }),
    "content-type",
  ],
  ["an envelope of a compressed body", envelope({ headers: { compression: "zstd" } }), "compression"],
];

describe("poison", () => {
  for (const [what, json, reason, detail] of events) {
    it(`${what}: refused with its text, its neighbours delivered`, () => {
      const list = good.map((event) => JSON.stringify(event));
      const read = readEvents(amqp(`[ ${list[0]}, ${json} ,${list[1]},${list[2]}]`), { carryUnknown: false });
      expect(read.map((one) => (one.kind === "event" ? one.event : one.kind))).toEqual([
        good[0],
        "poison",
        good[1],
        good[2],
      ]);
      const poison = read[1];
      if (poison?.kind !== "poison") return expect.fail();
      expect(poison).toMatchObject({ reason, scope: "event", detail: expect.stringMatching(detail) });
      expect(Buffer.from(poison.raw).toString()).toBe(json);
      // The text alone gives the same again, so that it can be published once more.
      if (!json.startsWith("[")) {
        expect(readEvents(amqp(json), { carryUnknown: false })).toEqual([poison]);
      }
    });
  }

  for (const [what, message, reason] of messages) {
    it(`${what}: the whole message is refused, and kept as it came`, () => {
      const read = readEvents(message, { carryUnknown: false });
      expect(read).toMatchObject([{ kind: "poison", reason, scope: "message" }]);
      const [poison] = read;
      expect(poison?.kind === "poison" && poison.raw).toBe(
        message.transport === "amqp" ? message.body : message.payload,
      );
      expect(poison?.kind === "poison" && poison.detail.length).toBeLessThanOrEqual(200);
    });
  }

  it("an empty list is nothing at all", () => {
    expect(readEvents(amqp("[]"), { carryUnknown: false })).toEqual([]);
  });

  it("is found in any bytes without throwing, and what is not poison can be sent", () => {
    const json = fc.json({ maxDepth: 4 });
    const near = fc
      .tuple(
        fc.constantFrom(...good),
        fc.constantFrom("args", "kwargs", "traceback", "eta", "uuid", "timestamp"),
        fc.oneof(fc.string({ unit: "binary" }), fc.anything()),
      )
      .map(([event, field, value]) => JSON.stringify({ ...event, [field]: value }));
    const text = fc.oneof(
      json,
      near,
      fc.string({ unit: "binary" }),
      fc.array(near).map((list) => `[${list}]`),
    );
    const body = fc.oneof(
      fc.uint8Array(),
      text.map((text) => Buffer.from(text)),
    );
    const options = fc.record(
      {
        contentType: fc.constantFrom("application/json", "x"),
        contentEncoding: fc.constantFrom("utf-8", "utf-16", "x"),
      },
      { requiredKeys: [] },
    );
    const redis = fc.record({
      body: fc.oneof(
        body.map((bytes) => Buffer.from(bytes).toString("base64")),
        json,
        fc.anything(),
      ),
      properties: fc.oneof(fc.constant({ body_encoding: "base64" }), fc.anything()),
      headers: fc.anything(),
    });
    const message: fc.Arbitrary<BrokerMessage> = fc.oneof(
      fc.tuple(body, options).map(([body, options]) => ({ transport: "amqp", body, ...options }) as const),
      body.map((payload) => ({ transport: "redis", payload }) as const),
      redis.map((value) => ({ transport: "redis", payload: Buffer.from(JSON.stringify(value)) }) as const),
    );
    let delivered = 0;
    fc.assert(
      fc.property(message, fc.boolean(), (message, carryUnknown) => {
        const batch = createDocumentBatch({ appEnv: "prod", now: () => 0 });
        const read = readEvents(message, { carryUnknown });
        for (const one of read) if (one.kind === "event") batch.add(one.event, 1e9);
        delivered += batch.events;
        expect(JSON.parse(batch.body()).length).toBe(batch.entries.length);
      }),
      { numRuns: 2000 },
    );
    // Not all of what is made is poison; how much is not, chance decides.
    expect(delivered).toBeGreaterThan(0);
  });
});
