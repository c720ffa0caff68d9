/** Whatever a receiver does, every event arrives or is a dead letter, in order per task, and none is settled before. */
import type { HttpFault } from "@posthouse/testkit/http-faults";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { Sink } from "../../src/events/sinks/sink.ts";
import { amqp, taskEvent } from "./captures.ts";
import {
  clocksOf,
  eventsOf,
  firstArrivals,
  leekApi,
  leekSink,
  numbered,
  numberedEvent,
  soon,
  subject,
  upTo,
  webhook,
  webhookSink,
} from "./pipeline-harness.ts";

const status = (code: number, headers = {}): HttpFault => ({ kind: "status", status: code, headers });
const passing: readonly HttpFault[] = [
  ...[500, 502, 503, 504, 429, 408, 401, 403, 404, 302].map((code) => status(code)),
  status(429, { "retry-after": "0" }),
  { kind: "resets" },
  { kind: "silent" },
  { kind: "half" },
  { kind: "garbage" },
  { kind: "slow", delayMs: 30 },
];
const refusing: readonly HttpFault[] = [400, 409, 413, 422].map((code) => status(code));

describe("any sequence of outcomes", () => {
  it("delivers every event in the order of its task, when nothing is refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.constantFrom(...passing), { nil: undefined }), { maxLength: 25 }),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom("json" as const, "ndjson" as const),
        async (faults, concurrency, tasks, format) => {
          const receiver = await webhook();
          receiver.faults.plan(...faults);
          const sink = webhookSink(receiver.url, { format });
          const events = await subject({ sink, concurrency, maxEvents: 7 });
          await events.take(...numbered(60, tasks));
          await events.settled();
          const arrived = firstArrivals(eventsOf(receiver));
          expect([...arrived.values()].flat().toSorted((a, b) => a - b)).toEqual(upTo(60));
          for (const clocks of arrived.values()) expect(clocks).toEqual(clocks.toSorted((a, b) => a - b));
          expect(events.dead()).toEqual([]);
          await events.stop();
        },
      ),
      { numRuns: 40 },
    );
  });

  it("delivers every event or keeps it as a dead letter, when some is refused", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.constantFrom(...passing, ...refusing), { nil: undefined }), { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        async (faults, concurrency) => {
          const receiver = await webhook();
          receiver.faults.plan(...faults);
          const events = await subject({ sink: webhookSink(receiver.url), concurrency, maxEvents: 9 });
          await events.take(...numbered(40, 5));
          await events.settled();
          const dead = events.dead().map(({ record }) => JSON.parse(Buffer.from(record).toString("utf8", 1)));
          const arrived = clocksOf(eventsOf(receiver));
          const all = new Set([...arrived, ...dead.map(({ clock }) => Number(clock))]);
          expect(all.size).toBe(40);
          for (const clocks of firstArrivals(eventsOf(receiver)).values())
            expect(clocks).toEqual(clocks.toSorted((a, b) => a - b));
          const { delivered, dead: counted } = events.pipeline.metrics();
          expect(delivered + (counted.refused ?? 0)).toBe(40);
          await events.stop();
        },
      ),
      { numRuns: 40 },
    );
  });

  it("settles nothing that was not accepted", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url), maxEvents: 10 });
    const faults = passing.filter(({ kind }) => kind !== "slow" && kind !== "silent");
    for (const [clock, fault] of faults.entries()) {
      receiver.faults.always = fault;
      const before = receiver.faults.taken;
      await events.take(amqp(numberedEvent(clock, 100)));
      await vi.waitFor(() => expect(receiver.faults.taken).toBeGreaterThan(before + 2));
      expect(events.spool.gauges().records, JSON.stringify(fault)).toBe(1);
      receiver.faults.clear();
      await events.settled();
    }
    // Half an answer is none: the receiver has it twice then.
    expect(new Set(clocksOf(eventsOf(receiver)))).toEqual(new Set(upTo(faults.length)));
  });
});

describe("a record with several events", () => {
  it("is settled when the last of them is accepted, and not before", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url), maxEvents: 1, windowMs: 5 });
    receiver.faults.plan(undefined, undefined);
    receiver.faults.always = status(503);
    await events.take(amqp(upTo(3).map((clock) => numberedEvent(clock, 3))));
    await vi.waitFor(() => expect(events.pipeline.metrics().requests["503"]).toBeGreaterThan(2));
    expect(clocksOf(eventsOf(receiver))).toEqual([0, 1]);
    expect(events.spool.gauges().records).toBe(1);
    receiver.faults.clear();
    await events.settled();
    expect(clocksOf(eventsOf(receiver))).toEqual([0, 1, 2]);
  });
});

describe("requests under way", () => {
  it("are as many as allowed, and never two with the same task", async () => {
    const api = await leekApi();
    api.faults.always = { kind: "slow", delayMs: 15 };
    const sink = leekSink(api.url);
    const underWay = new Set<string>();
    const sentTwice: string[] = [];
    const watched: Sink = {
      ...sink,
      async send(request, signal) {
        const ids = (JSON.parse(Buffer.from(request.body).toString()) as { id: string }[]).map(
          ({ id }) => id,
        );
        sentTwice.push(...ids.filter((id) => underWay.has(id)));
        for (const id of ids) underWay.add(id);
        const outcome = await sink.send(request, signal);
        for (const id of ids) underWay.delete(id);
        return outcome;
      },
    };
    const events = await subject({ sink: watched, concurrency: 4, maxEvents: 5 });
    await events.take(...numbered(200, 16));
    await events.settled();
    expect(api.mostInFlight).toBe(4);
    expect(sentTwice).toEqual([]);
  });

  it("are one with a concurrency of one", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url, { connections: 1 }), maxEvents: 5 });
    await events.take(...numbered(100));
    await events.settled();
    expect(api.mostInFlight).toBe(1);
    expect(api.connections).toBe(1);
  });
});

describe("batches", () => {
  it("are sent when their window ends, although nothing follows", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url), windowMs: 200 });
    await events.take(...numbered(3));
    expect(api.posts).toEqual([]);
    const taken = Date.now();
    await vi.waitFor(() => expect(api.posts).toHaveLength(1), { timeout: 5000 });
    expect(Date.now() - taken).toBeLessThan(1000);
    expect(api.posts[0]?.documents).toHaveLength(3);
    await events.settled();
  });

  it("are closed by the number of events, lists among them", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url), windowMs: 60_000, maxEvents: 10 });
    await events.take(amqp(upTo(25).map((clock) => numberedEvent(clock, 25))));
    await vi.waitFor(() => expect(api.posts).toHaveLength(2));
    expect(api.posts.map(({ documents }) => documents.length)).toEqual([10, 10]);
    // The rest waits for its window; stopping sends it.
    expect(events.spool.gauges().records).toBe(1);
    await events.pipeline.stop(5000);
    expect(api.posts.map(({ documents }) => documents.length)).toEqual([10, 10, 5]);
    expect(events.spool.gauges().records).toBe(0);
  });

  it("are closed by the bytes that are really sent", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url), maxBytes: 20_000, maxEvents: 1000 });
    await events.take(
      ...upTo(100).map((clock) =>
        amqp(taskEvent({ uuid: `task-${clock}`, clock, args: "x".repeat(clock * 20) })),
      ),
    );
    await events.settled();
    expect(api.stored).toHaveLength(100);
    expect(api.posts.length).toBeGreaterThan(5);
    for (const { bytes, documents } of api.posts)
      expect(documents.length === 1 || bytes <= 20_000).toBe(true);
  });

  it("hold what is larger than their limit alone", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url), maxBytes: 5000 });
    await events.take(
      amqp([taskEvent({ uuid: "a" }), taskEvent({ uuid: "b", result: "x".repeat(30_000) }), taskEvent()]),
    );
    await events.settled();
    expect(api.posts.map(({ documents }) => documents.length)).toEqual([1, 1, 1]);
  });

  it("grow while the one before is under way, rather than becoming many", async () => {
    const api = await leekApi();
    api.faults.plan({ kind: "slow", delayMs: 300 });
    const events = await subject({ sink: leekSink(api.url), windowMs: 5, maxEvents: 1000 });
    await events.take(...numbered(1));
    await vi.waitFor(() => expect(api.inFlight).toBe(1));
    for (const message of numbered(31).slice(1)) {
      await events.take(message);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await events.settled();
    expect(api.stored).toHaveLength(31);
    expect(api.posts.length).toBeLessThan(6);
  });
});

describe("events that come twice", () => {
  it("are delivered once within the window, and counted", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url) });
    await events.take(...numbered(30), ...numbered(30));
    await events.settled();
    expect(clocksOf(eventsOf(receiver))).toEqual(upTo(30));
    expect(events.pipeline.metrics()).toMatchObject({ duplicates: 30, delivered: 30, events: 60 });
  });

  it("are delivered twice beyond it: what is remembered is bounded", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url), duplicateWindow: 10 });
    await events.take(...numbered(30), ...numbered(30));
    await events.settled();
    expect(eventsOf(receiver).length).toBeGreaterThan(50);
  });
});

describe("a receiver that is slow or away", () => {
  it("keeps no more in memory than is allowed", async () => {
    const api = await leekApi();
    api.faults.always = status(503);
    const events = await subject({ sink: leekSink(api.url), readAheadBytes: 20_000, maxEvents: 1000 });
    await events.take(...numbered(500));
    await vi.waitFor(() => expect(events.pipeline.metrics().requests["503"]).toBeGreaterThan(3));
    expect(events.pipeline.metrics().heldBytes).toBeLessThan(60_000);
    expect(events.pipeline.status).toMatchObject({ state: "failing", lastError: { message: "503" } });
    api.faults.clear();
    await events.settled();
    expect(api.stored).toHaveLength(500);
    expect(events.pipeline.status.state).toBe("delivering");
  });

  it("is waited for as long as it asks", async () => {
    const api = await leekApi();
    api.faults.plan(status(429, { "retry-after": "1" }));
    const events = await subject({ sink: leekSink(api.url) });
    await events.take(...numbered(1));
    await vi.waitFor(() => expect(events.pipeline.metrics().requests["429"]).toBe(1));
    const asked = Date.now();
    await events.settled();
    expect(Date.now() - asked).toBeGreaterThan(900);
  });

  it("is given up when it takes too long, and tried again", async () => {
    const api = await leekApi();
    api.faults.plan({ kind: "hangs" });
    const events = await subject({ sink: leekSink(api.url, { requestTimeoutMs: 100 }) });
    await events.take(...numbered(5));
    await events.settled();
    expect(events.pipeline.metrics().requests).toEqual({ timeout: 1, "201": 1 });
  });
});

describe("pause, resume and stop", () => {
  it("send nothing while paused, and all of it then", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url) });
    events.pipeline.pause();
    await events.take(...numbered(10));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(api.posts).toEqual([]);
    expect(events.pipeline.status.state).toBe("paused");
    events.pipeline.resume();
    await events.settled();
    expect(api.stored).toHaveLength(10);
  });

  it("leave to the next start what could not be delivered, and do not wait for it", async () => {
    const api = await leekApi();
    api.faults.always = status(503);
    const slowly = { ...soon, failedMs: [60_000, 60_000] } as const;
    const first = await subject({ sink: leekSink(api.url), delays: slowly });
    await first.take(...numbered(10));
    await vi.waitFor(() => expect(first.pipeline.metrics().requests["503"]).toBe(1));
    const stopping = performance.now();
    await first.pipeline.stop(20_000);
    expect(performance.now() - stopping).toBeLessThan(5000);
    expect(first.spool.gauges().records).toBe(10);
    // Tried once more, in case it is back.
    expect(first.pipeline.metrics().requests["503"]).toBe(2);
    api.faults.clear();
    expect(first.pipeline.status.state).toBe("stopped");
  });

  it("end a request that hangs at the deadline", async () => {
    const api = await leekApi();
    api.faults.always = { kind: "hangs" };
    const events = await subject({ sink: leekSink(api.url) });
    await events.take(...numbered(10));
    await vi.waitFor(() => expect(api.inFlight).toBe(1));
    const stopping = performance.now();
    await events.pipeline.stop(200);
    expect(performance.now() - stopping).toBeLessThan(1500);
    expect(events.spool.gauges().records).toBe(10);
  });

  it("stop while paused sends nothing", async () => {
    const api = await leekApi();
    const events = await subject({ sink: leekSink(api.url) });
    events.pipeline.pause();
    await events.take(...numbered(10));
    await events.pipeline.stop(5000);
    expect(api.posts).toEqual([]);
    expect(events.spool.gauges().records).toBe(10);
  });
});
