import { describe, expect, it } from "vitest";
import type { LeekDocument, TaskDocument } from "../../src/events/celery/document.ts";
import { mergeDocuments } from "../../src/events/celery/merge.ts";
import { toDocument } from "../../src/events/celery/transform.ts";
import { type Json, taskEvent, workerEvent } from "./captures.ts";

const one = (event: Parameters<typeof toDocument>[0]): LeekDocument =>
  toDocument(event, { appEnv: "prod", now: 1 });
const task = (type: string, timestamp: number, more: Json = {}): TaskDocument =>
  one(
    taskEvent({ type: `task-${type}`, timestamp, clock: timestamp, hostname: `${type}@vm`, ...more }),
  ) as TaskDocument;
const worker = (type: string, timestamp: number, more: Json = {}): LeekDocument =>
  one(workerEvent({ type: `worker-${type}`, timestamp, ...more }));
const merge = (...documents: LeekDocument[]): Json => {
  const merged = documents.reduce((stored, coming) =>
    mergeDocuments(Object.freeze(stored), Object.freeze(coming)),
  );
  return JSON.parse(JSON.stringify(merged));
};

const described = { name: "a.b", args: "(1,)", kwargs: "{'x': 1}", retries: 0 };
const routed = { exchange: "", routing_key: "low", queue: "low" };
const failed = { exception: "E()", traceback: "Traceback (most recent call last):\nE: x" };

describe("two events of one task in one batch", () => {
  it("a terminal one wins, however old it is", () => {
    const merged = merge(task("started", 9), task("succeeded", 5, { result: "8", runtime: 1 }));
    expect(merged).toMatchObject({
      state: "SUCCEEDED",
      timestamp: 5000,
      started_at: 9000,
      succeeded_at: 5000,
      result: "8",
    });
  });

  it("of two terminal ones the later arrival wins", () => {
    expect(merge(task("succeeded", 9), task("revoked", 5))).toMatchObject({ state: "REVOKED", clock: 5 });
    expect(merge(task("revoked", 5), task("succeeded", 9))).toMatchObject({ state: "SUCCEEDED", clock: 9 });
  });

  it("after a terminal one, others add only what is theirs", () => {
    const done = task("succeeded", 5);
    const queued = merge(done, task("sent", 9, { ...described, ...routed }));
    expect(queued).toMatchObject({
      state: "SUCCEEDED",
      timestamp: 5000,
      clock: 5,
      queued_at: 9000,
      client: "sent@vm",
    });
    expect(queued).toMatchObject({
      ...described,
      ...routed,
      args_0: "1",
      kwargs_flattened: { x: 1 },
      worker: "succeeded@vm",
    });
    const received = merge(done, task("received", 9, { ...described, ...routed }));
    expect(received).toMatchObject({ state: "SUCCEEDED", received_at: 9000, ...described });
    expect(received).not.toHaveProperty("queue");
    const started = merge(done, task("started", 9, described));
    expect(started).toMatchObject({ state: "SUCCEEDED", started_at: 9000 });
    expect(started).not.toHaveProperty("name");
  });

  it("a retry that comes after the end tells why, unless a failure did", () => {
    const retried = task("retried", 9, failed);
    expect(merge(task("succeeded", 5), retried)).toMatchObject({
      state: "SUCCEEDED",
      retried_at: 9000,
      ...failed,
      lang: "python",
    });
    const merged = merge(task("failed", 5, { ...failed, exception: "Other()" }), retried);
    expect(merged).toMatchObject({ state: "FAILED", retried_at: 9000, exception: "Other()" });
    const critical = merge(
      task("failed", 5, { exception: "Other()", retries: 1 }),
      task("started", 1),
      retried,
    );
    expect(critical).toMatchObject({ state: "CRITICAL", exception: "Other()" });
  });

  it("of two others the newer wins, and null replaces nothing", () => {
    const merged = merge(
      task("sent", 1, { ...described, ...routed, eta: "1970-01-01T00:00:09Z" }),
      task("received", 2, { name: "c" }),
    );
    expect(merged).toMatchObject({
      state: "RECEIVED",
      timestamp: 2000,
      name: "c",
      args: "(1,)",
      eta: 9000,
      queue: "low",
    });
    expect(merged).toMatchObject({
      client: "sent@vm",
      worker: "received@vm",
      queued_at: 1000,
      received_at: 2000,
    });
  });

  it("an older one of another state adds what is its own", () => {
    const late = merge(task("started", 5), task("sent", 1, { ...described, ...routed }));
    expect(late).toMatchObject({
      state: "STARTED",
      timestamp: 5000,
      queued_at: 1000,
      ...described,
      ...routed,
    });
    const retry = merge(task("started", 5), task("retried", 4, failed));
    expect(retry).toMatchObject({ state: "STARTED", retried_at: 4000, ...failed });
    // Between sent and received the newer describes the task.
    const received = merge(task("received", 5, { name: "new" }), task("sent", 1, { name: "old", ...routed }));
    expect(received).toMatchObject({ state: "RECEIVED", name: "new", queue: "low", queued_at: 1000 });
    // Not newer is: of the same time too.
    expect(merge(task("started", 5), task("received", 5))).toMatchObject({
      state: "STARTED",
      received_at: 5000,
    });
  });

  it("one of the same state that is not newer only counts", () => {
    const merged = merge(task("sent", 5, { name: "new" }), task("sent", 5, { name: "old", ...routed }));
    expect(merged).toMatchObject({
      name: "new",
      queued_at: 5000,
      events: ["QUEUED", "QUEUED"],
      events_count: 2,
    });
    expect(merged).not.toHaveProperty("queue");
  });

  it("with retries a failure is critical and a success recovered", () => {
    expect(merge(task("received", 1, { retries: 2 }), task("failed", 2))).toMatchObject({
      state: "CRITICAL",
      events: ["FAILED", "RECEIVED"],
    });
    expect(merge(task("received", 1, { retries: 2 }), task("succeeded", 2))).toMatchObject({
      state: "RECOVERED",
    });
    expect(merge(task("failed", 2), task("received", 1, { retries: 2 }))).toMatchObject({
      state: "CRITICAL",
    });
    expect(merge(task("received", 1, { retries: 0 }), task("failed", 2))).toMatchObject({ state: "FAILED" });
    // What comes after is after a terminal state.
    const after = merge(task("received", 1, { retries: 2 }), task("failed", 2), task("started", 9));
    expect(after).toMatchObject({ state: "CRITICAL", timestamp: 2000, started_at: 9000 });
  });

  it("a task is not its own root or parent", () => {
    const own = { root_id: "0000-1", parent_id: "0000-1" };
    const merged = merge(task("sent", 1, own), task("started", 2));
    expect(merged).not.toHaveProperty("root_id");
    expect(merged).not.toHaveProperty("parent_id");
    expect(merge(task("sent", 1, { root_id: "r", parent_id: "p" }), task("started", 2))).toMatchObject({
      root_id: "r",
      parent_id: "p",
    });
  });

  it("the last 21 events are named, the latest arrival first", () => {
    const merged = merge(
      task("sent", 0),
      ...Array.from({ length: 24 }, (_, index) => task("started", index + 1)),
    );
    expect(merged.events).toEqual(Array(21).fill("STARTED"));
    expect(merged.events_count).toBe(25);
    expect(merge(task("received", 2), task("sent", 1), task("started", 3)).events).toEqual([
      "STARTED",
      "QUEUED",
      "RECEIVED",
    ]);
  });

  it("task-cancelled is no end: a task that lost its worker is run again", () => {
    const again = merge(task("cancelled", 5), task("started", 6));
    expect(again).toMatchObject({ state: "STARTED", cancelled_at: 5000 });
    expect(merge(task("started", 6), task("cancelled", 5))).toMatchObject({
      state: "STARTED",
      cancelled_at: 5000,
    });
    expect(merge(task("started", 5), task("cancelled", 6))).toMatchObject({ state: "CANCELLED" });
  });

  it("unknown fields: the later arrival counts", () => {
    expect(merge(task("started", 5, { a: 1, b: 1 }), task("sent", 1, { b: 2 })).extra).toEqual({
      a: 1,
      b: 2,
    });
    expect(merge(task("started", 5, { a: 1 }), task("sent", 1)).extra).toEqual({ a: 1 });
  });
});

describe("two events of one worker in one batch", () => {
  it("the newer wins", () => {
    const merged = merge(worker("online", 1), worker("heartbeat", 2, { processed: 3 }));
    expect(merged).toMatchObject({
      state: "HEARTBEAT",
      online_at: 1000,
      last_heartbeat_at: 2000,
      processed: 3,
      events_count: 2,
    });
    expect(merge(worker("offline", 1), worker("heartbeat", 2))).toMatchObject({
      state: "HEARTBEAT",
      offline_at: 1000,
    });
  });

  it("an older one of another state adds what is its own", () => {
    const heartbeat = worker("heartbeat", 1, { processed: 3, active: 1, freq: 5, loadavg: [1], sw_ver: "9" });
    const merged = merge(worker("offline", 2, { processed: 9 }), heartbeat);
    expect(merged).toMatchObject({
      state: "OFFLINE",
      last_heartbeat_at: 1000,
      processed: 3,
      active: 1,
      freq: 5,
      loadavg: [1],
    });
    expect(merged).toMatchObject({ timestamp: 2000, sw_ver: "5.2.6", events_count: 2 });
    expect(merge(worker("heartbeat", 2), worker("online", 1))).toMatchObject({
      state: "HEARTBEAT",
      online_at: 1000,
    });
  });

  it("one of the same state that is not newer only counts", () => {
    const merged = merge(worker("heartbeat", 2, { processed: 9 }), worker("heartbeat", 2, { processed: 3 }));
    expect(merged).toMatchObject({ processed: 9, events_count: 2 });
  });
});

it("a task and a worker never are one document", () => {
  expect(() => mergeDocuments(task("sent", 1), worker("online", 1))).toThrow(TypeError);
});
