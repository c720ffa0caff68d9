/** A message is read back from the spool as it was given. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { bodyOf, decodeMessage, encodeCut, encodeMessage } from "../../src/events/spooled-message.ts";
import { amqp } from "./captures.ts";

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
const text = fc.option(fc.string(), { nil: undefined });
const messages: fc.Arbitrary<BrokerMessage> = fc.oneof(
  fc.record({
    transport: fc.constant("amqp" as const),
    body: bytes,
    contentType: fc.oneof(text, fc.constant("application/json")),
    contentEncoding: fc.oneof(text, fc.constant("utf-8")),
    compression: text,
    isRedelivered: fc.constantFrom(true as const, undefined),
  }),
  fc.record({
    transport: fc.constant("redis" as const),
    payload: bytes,
    isRedelivered: fc.constantFrom(true as const, undefined),
  }),
);

describe("a record", () => {
  it("gives back the message and whether it is a replay, whatever is in it", () => {
    fc.assert(
      fc.property(messages, fc.boolean(), (message, isReplay) => {
        const decoded = decodeMessage(Uint8Array.from(encodeMessage(message, isReplay)));
        if (decoded.kind !== "message") throw new Error(decoded.kind);
        expect(decoded.isReplay).toBe(isReplay);
        expect(decoded.message).toEqual(message);
      }),
    );
  });

  it("costs a byte for what Celery sends", () => {
    expect(encodeMessage(amqp("[]"))).toHaveLength(3);
  });

  it("says that there was a compression, whatever type its name has", () => {
    for (const compression of [{ a: 1n }, 5, Symbol("x"), []]) {
      const message = { transport: "amqp", body: Buffer.from("x"), compression } as const;
      const decoded = decodeMessage(encodeMessage(message));
      expect(decoded).toMatchObject({ kind: "message", message: { compression: true } });
    }
  });

  it("is of no known kind when it was damaged, and never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (array) => {
        expect(["message", "cut", "unknown"]).toContain(decodeMessage(array).kind);
      }),
    );
    expect(decodeMessage(Buffer.from([0x77, 1, 2])).kind).toBe("unknown");
    expect(decodeMessage(new Uint8Array()).kind).toBe("unknown");
  });

  it("holds the beginning and the length of what is too large", () => {
    const message = amqp("x".repeat(10_000_000));
    const decoded = decodeMessage(encodeCut(message));
    if (decoded.kind !== "cut") throw new Error(decoded.kind);
    expect(decoded.bytes).toBe(bodyOf(message).length);
    expect(decoded.beginning).toHaveLength(64 * 1024);
  });

  it("of many megabytes is whole too", () => {
    const message = amqp("x".repeat(9_000_000));
    expect(decodeMessage(encodeMessage(message))).toMatchObject({ kind: "message", message });
  });
});
