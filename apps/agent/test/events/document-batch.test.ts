import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { batchBody, createDocumentBatch } from "../../src/events/celery/batch.ts";
import { capturedEvents, taskEvent, workerEvent } from "./captures.ts";

const create = () => createDocumentBatch({ appEnv: "prod", now: () => 1 });
const any = Number.POSITIVE_INFINITY;

describe("a batch", () => {
  it("is empty at first", () => {
    const batch = create();
    expect([batch.body(), batch.bytes, batch.events, batch.entries]).toEqual(["[]", 2, 0, []]);
  });

  it("knows at every moment how many bytes will be sent", () => {
    const batch = create();
    for (const event of capturedEvents("rabbitmq")) {
      batch.add(event, any);
      expect(batch.bytes).toBe(Buffer.byteLength(batch.body()));
    }
    expect(batch.events).toBe(81);
    expect(batch.entries.length).toBe(16);
    expect(batch.entries.reduce((sum, { events }) => sum + events, 0)).toBe(81);
  });

  it("has one document per task and per worker, in the order of first arrival", () => {
    const batch = create();
    const same = workerEvent({ hostname: "a" });
    for (const event of [
      taskEvent({ uuid: "b" }),
      same,
      taskEvent({ uuid: "a" }),
      same,
      taskEvent({ uuid: "b" }),
    ]) {
      batch.add(event, any);
    }
    expect(batch.entries.map(({ kind, id, events }) => [kind, id, events])).toEqual([
      ["task", "b", 2],
      ["worker", "a", 2],
      ["task", "a", 1],
    ]);
  });

  it("takes no event that would make it larger than its limit, and is as before then", () => {
    const limit = 1000;
    const event = fc
      .record({
        uuid: fc.constantFrom("a", "b", "c", "d"),
        timestamp: fc.nat(9),
        type: fc.constantFrom("task-sent", "task-started", "task-failed"),
        args: fc.string({ unit: "grapheme", maxLength: 400 }),
      })
      .map(taskEvent);
    let refused = 0;
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const batch = create();
        for (const event of events) {
          const before = [batch.body(), batch.bytes, batch.events];
          if (batch.add(event, limit)) {
            expect(batch.bytes <= limit || batch.events === 1).toBe(true);
          } else {
            refused++;
            expect([batch.body(), batch.bytes, batch.events]).toEqual(before);
            const alone = create();
            expect(alone.add(event, 1)).toBe(true);
          }
        }
        expect(batch.bytes).toBe(Buffer.byteLength(batch.body()));
      }),
    );
    expect(refused).toBeGreaterThan(0);
  });

  it("can be sent in parts", () => {
    const batch = create();
    for (const event of capturedEvents("redis")) batch.add(event, any);
    const [first, rest] = [batch.entries.slice(0, 5), batch.entries.slice(5)];
    expect([...JSON.parse(batchBody(first)), ...JSON.parse(batchBody(rest))]).toEqual(
      JSON.parse(batch.body()),
    );
  });

  it("has no lone surrogates: for one of them Leek's API drops the rest without a word", () => {
    const batch = create();
    batch.add(
      taskEvent({ uuid: "x\ud800", name: "a\udc80.b", args: "('\\udc80',)", exception: "back\\udc80slash" }),
      any,
    );
    expect(JSON.parse(batch.body())).toMatchObject([
      {
        uuid: "x\ufffd",
        name_parts: { module: "a\ufffd" },
        args: "('\\udc80',)",
        args_0: "\ufffd",
        exception: "back\\udc80slash",
      },
    ]);
  });
});
