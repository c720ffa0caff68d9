import { describe, expect, it } from "vitest";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { readEvents } from "../../src/events/celery/received-event.ts";
import { amqp, taskEvent } from "./captures.ts";

const event = taskEvent({ args: "('é', '中文 😀')" });
const text = JSON.stringify(event);
const strict = { carryUnknown: false };

function redis(changes: object): BrokerMessage {
  const envelope = {
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: {},
    ...changes,
  };
  return { transport: "redis", payload: Buffer.from(JSON.stringify(envelope)) };
}

describe("a message of RabbitMQ", () => {
  for (const [encoding, body] of [
    [undefined, Buffer.from(text)],
    ["UTF-8", Buffer.from(text)],
    ["utf8", Buffer.from(`\ufeff${text}`)],
    ["binary", Buffer.from(text)],
    [
      "us-ascii",
      Buffer.from(
        text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
      ),
    ],
    ["utf-16le", Buffer.from(text, "utf16le")],
  ] as const) {
    it(`is read in ${encoding ?? "no named encoding"}`, () => {
      const message = {
        transport: "amqp",
        body,
        contentType: "application/json",
        contentEncoding: encoding,
      } as const;
      expect(readEvents(message, strict)).toMatchObject([{ kind: "event", event }]);
    });
  }

  for (const contentType of [undefined, "application/json", "Application/JSON; charset=utf-8"]) {
    it(`is read with ${contentType ?? "no"} content type`, () => {
      const message = { transport: "amqp", body: Buffer.from(text), contentType } as const;
      expect(readEvents(message, strict)).toMatchObject([{ kind: "event", event }]);
    });
  }

  it("holds one event or a list of them, in their order", () => {
    const list = [event, taskEvent({ uuid: "2" }), taskEvent({ uuid: "3" })];
    expect(readEvents(amqp(list), strict).map((one) => one.kind === "event" && one.event)).toEqual(list);
  });
});

describe("a message of Redis", () => {
  it("is read from kombu's envelope", () => {
    const body = Buffer.from(text).toString("base64");
    expect(readEvents(redis({ body, properties: { body_encoding: "base64" } }), strict)).toMatchObject([
      { event },
    ]);
  });

  it("is read when its body is not encoded", () => {
    expect(readEvents(redis({ body: text, properties: {} }), strict)).toMatchObject([{ event }]);
    expect(readEvents(redis({ body: text }), strict)).toMatchObject([{ event }]);
  });
});

describe("the id of an event", () => {
  const idOf = (message: BrokerMessage): string => {
    const [one] = readEvents(message, { carryUnknown: true });
    return one?.kind === "event" ? one.id : expect.fail();
  };

  it("is the same from both brokers, alone and in a list, sent once or again", () => {
    const id = idOf(amqp(text));
    expect(id).toMatch(/^[\w-]{22}$/);
    expect(idOf(amqp(`[${text}]`))).toBe(id);
    expect(idOf(redis({ body: text }))).toBe(id);
    expect(idOf(amqp(text.replaceAll(":", " : ")))).toBe(id);
  });

  it("is another for whatever differs", () => {
    const changes = [
      { uuid: "other" },
      { clock: 2 },
      { pid: 8 },
      { hostname: "w2@vm" },
      { timestamp: 1 },
      { x: 1 },
    ];
    const ids = [{}, ...changes].map((change) => idOf(amqp({ ...event, ...change })));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("does not change between versions: receivers keep it", () => {
    expect(idOf(amqp(taskEvent()))).toBe("UEwSBAbU1utE20gyna_apO");
  });
});
