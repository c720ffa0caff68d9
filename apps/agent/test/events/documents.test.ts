import { describe, expect, it } from "vitest";
import { toDocument } from "../../src/events/celery/transform.ts";
import { type Json, taskEvent, workerEvent } from "./captures.ts";

const options = { appEnv: "prod", now: 1795223879495 };
const documentOf = (event: Parameters<typeof toDocument>[0]): Json =>
  JSON.parse(JSON.stringify(toDocument(Object.freeze(event), options)));

const common = {
  id: "0000-1",
  app_env: "prod",
  kind: "task",
  clock: 1,
  updated_at: 1795223879495,
  utcoffset: 0,
  pid: 7,
};
const times = { timestamp: 1795223756426, exact_timestamp: 1795223756.4264948 };

describe("the document of one event", () => {
  for (const [type, state, stamp, host] of [
    ["task-sent", "QUEUED", "queued_at", "client"],
    ["task-received", "RECEIVED", "received_at", "worker"],
    ["task-started", "STARTED", "started_at", "worker"],
    ["task-succeeded", "SUCCEEDED", "succeeded_at", "worker"],
    ["task-failed", "FAILED", "failed_at", "worker"],
    ["task-rejected", "REJECTED", "rejected_at", "worker"],
    ["task-revoked", "REVOKED", "revoked_at", "worker"],
    ["task-retried", "RETRY", "retried_at", "worker"],
    ["task-cancelled", "CANCELLED", "cancelled_at", "worker"],
  ] as const) {
    it(`${type} is ${state}`, () => {
      const own = {
        uuid: "0000-1",
        state,
        [stamp]: times.timestamp,
        [host]: "w1@vm",
        events: [state],
        events_count: 1,
      };
      expect(documentOf(taskEvent({ type }))).toEqual({ ...common, ...times, ...own });
    });
  }

  for (const [type, state, stamp] of [
    ["worker-online", "ONLINE", "online_at"],
    ["worker-heartbeat", "HEARTBEAT", "last_heartbeat_at"],
    ["worker-offline", "OFFLINE", "offline_at"],
  ] as const) {
    it(`${type} is ${state}`, () => {
      const load = { processed: 15, active: 0, loadavg: [4.06, 1.82, 0.8] };
      const software = { sw_ident: "py-celery", sw_ver: "5.2.6", sw_sys: "Linux", freq: 2 };
      const document = documentOf(workerEvent({ type, ...load }));
      const own = {
        id: "w1@vm",
        hostname: "w1@vm",
        kind: "worker",
        state,
        [stamp]: 1795223756500,
        events_count: 1,
      };
      const time = { timestamp: 1795223756500, exact_timestamp: 1795223756.5 };
      expect(document).toEqual({ ...common, ...time, ...own, ...load, ...software });
      const bare = documentOf(workerEvent({ type, loadavg: null, active: null }));
      for (const name of ["processed", "active", "loadavg"]) expect(bare).not.toHaveProperty(name);
    });
  }

  it("cuts milliseconds off, and never rounds", () => {
    const at = (timestamp: number): unknown => documentOf(taskEvent({ timestamp })).timestamp;
    expect([at(1.9999), at(-1.9999), at(1795223875.7229185), at(3), at(0)]).toEqual([
      1999, -1999, 1795223875722, 3000, 0,
    ]);
    // The product of the doubles counts, as in Python: 1.001 * 1000 is a little less than 1001.
    expect(at(1.001)).toBe(Math.trunc(1.001 * 1000));
  });

  it("takes names apart at the last dot", () => {
    const parts = (name: string): unknown => documentOf(taskEvent({ name })).name_parts;
    expect(parts("a.b.add")).toEqual({ module: "a.b", function: "add" });
    expect(parts("add")).toEqual({ module: "", function: "add" });
    expect(parts("a.")).toEqual({ module: "a", function: "" });
  });

  it("has all fields in Leek's order, and nothing that is null", () => {
    const event = taskEvent({
      ...{
        name: "a.b",
        args: "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)",
        kwargs: "{'x': 1}",
        result: "8",
        runtime: 0.5,
      },
      ...{ root_id: "r", parent_id: "p", exchange: "", routing_key: "low", queue: "low", retries: 0 },
      ...{
        eta: "2026-11-21T01:15:57.936532+00:00",
        expires: "2026-11-21T01:15:58+00:00",
        terminated: false,
        expired: true,
      },
      ...{ signum: 15, requeue: false, exception: "E()", traceback: "x", type: "task-revoked", extra: 1 },
    });
    expect(Object.keys(documentOf(event)).join(" ")).toBe(
      "id app_env kind state clock updated_at timestamp exact_timestamp utcoffset pid uuid name name_parts args kwargs " +
        "args_0 args_1 args_2 args_3 args_4 args_5 args_6 args_7 args_8 args_9 kwargs_flattened result runtime root_id " +
        "parent_id exchange routing_key queue eta expires retries revoked_at terminated expired signum requeue exception " +
        "traceback lang error stack trace worker events events_count extra",
    );
    const empty = documentOf(
      taskEvent({ root_id: null, parent_id: null, eta: null, expires: null, signum: null }),
    );
    expect(Object.values(empty)).not.toContain(null);
    expect(documentOf(taskEvent({ type: "task-revoked", signum: "SIGKILL" })).signum).toBe("SIGKILL");
  });

  it("keeps a lone task's own id as its root: only merging takes it away", () => {
    expect(documentOf(taskEvent({ root_id: "0000-1" })).root_id).toBe("0000-1");
  });

  it("carries unknown fields apart, whatever they are called", () => {
    const unknown = { state: "mine", id: 7, shadow: null, __proto__x: [1] };
    const document = documentOf(taskEvent(unknown));
    expect(document).toMatchObject({ id: "0000-1", state: "QUEUED", extra: unknown });
    const event = JSON.parse(`${JSON.stringify(taskEvent()).slice(0, -1)},"__proto__":{"a":1}}`);
    expect(JSON.stringify(toDocument(event, options))).toContain('"extra":{"__proto__":{"a":1}}');
  });

  it("cuts what the search index could not take as a keyword, and nothing shorter", () => {
    const long = "é".repeat(20_000);
    const document = documentOf(
      taskEvent({ args: long, kwargs: long, result: `${"x".repeat(32_765)}é`, traceback: long }),
    );
    for (const name of ["args", "kwargs", "traceback"]) {
      expect(document[name]).toBe("é".repeat(16_383));
    }
    expect(document.result).toBe("x".repeat(32_765));
    expect(documentOf(taskEvent({ result: "x".repeat(32_766) })).result).toBe("x".repeat(32_766));
    expect(documentOf(taskEvent({ result: "😀".repeat(8192) })).result).toBe("😀".repeat(8191));
  });
});
