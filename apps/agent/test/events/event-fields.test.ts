import { describe, expect, it } from "vitest";
import { validateEvent } from "../../src/events/celery/event.ts";
import { type Json, taskEvent, workerEvent } from "./captures.ts";

const strict = { carryUnknown: false };
const isValid = (value: unknown): boolean => validateEvent(value, strict).kind === "event";

const task: Readonly<Record<string, readonly [accepted: readonly unknown[], refused: readonly unknown[]]>> = {
  uuid: [
    ["", "x"],
    [null, 1],
  ],
  hostname: [["w1@vm"], [null, 1]],
  timestamp: [
    [1, 1.5, 0, -1],
    [null, "1", true],
  ],
  ...Object.fromEntries(
    ["utcoffset", "pid", "clock"].map((name) => [
      name,
      [
        [0, -3, 2.0],
        [null, 5.5, true, "1"],
      ],
    ]),
  ),
  ...Object.fromEntries(
    ["name", "args", "kwargs", "exchange", "routing_key", "queue", "result", "exception", "traceback"].map(
      (name) => [
        name,
        [
          ["", "x"],
          [null, 1, ["x"]],
        ],
      ],
    ),
  ),
  ...Object.fromEntries(["root_id", "parent_id"].map((name) => [name, [["x", null], [1]]])),
  ...Object.fromEntries(
    ["eta", "expires"].map((name) => [
      name,
      [
        ["2026-11-21T01:15:57+00:00", null],
        [1, "soon"],
      ],
    ]),
  ),
  runtime: [
    [0, 1.5],
    [null, "1"],
  ],
  retries: [
    [0, 3],
    [null, 1.5, "1"],
  ],
  ...Object.fromEntries(
    ["terminated", "expired", "requeue"].map((name) => [
      name,
      [
        [true, false],
        [null, 0, "true"],
      ],
    ]),
  ),
  signum: [
    [15, "SIGTERM", null],
    [true, 1.5],
  ],
};
const worker: typeof task = {
  freq: [
    [2, 2.5],
    [null, "2"],
  ],
  active: [
    [0, null],
    [1.5, "1"],
  ],
  processed: [
    [0, null],
    [1.5, "1"],
  ],
  loadavg: [
    [[], [1, 0.5, 2], null],
    [1, "1", [[1]], [{}]],
  ],
  ...Object.fromEntries(["sw_ident", "sw_ver", "sw_sys"].map((name) => [name, [["x"], [null, 1]]])),
};

describe("fields of events", () => {
  for (const [kind, fields, make] of [
    ["task", task, taskEvent],
    ["worker", worker, workerEvent],
  ] as const) {
    for (const [name, [accepted, refused]] of Object.entries(fields)) {
      it(`${kind}: ${name}`, () => {
        for (const value of accepted)
          expect(isValid(make({ [name]: value })), JSON.stringify(value)).toBe(true);
        for (const value of refused)
          expect(isValid(make({ [name]: value })), JSON.stringify(value)).toBe(false);
      });
    }
  }

  it("a valid event is given back itself, unchanged", () => {
    const event = Object.freeze(taskEvent({ eta: "2026-11-21T01:15:57+00:00" }));
    expect(validateEvent(event, strict)).toEqual({ kind: "event", event });
    const checked = validateEvent(event, strict);
    expect(checked.kind === "event" && checked.event).toBe(event);
  });

  it("types: the eleven of Celery 5", () => {
    const tasks = ["sent", "received", "started", "succeeded", "failed", "rejected", "revoked", "retried"];
    for (const type of tasks) expect(isValid(taskEvent({ type: `task-${type}` })), type).toBe(true);
    for (const type of ["online", "heartbeat", "offline"])
      expect(isValid(workerEvent({ type: `worker-${type}` }))).toBe(true);
    for (const type of ["task-cancelled", "task-multi", "worker-sent", "", null])
      expect(isValid(taskEvent({ type }))).toBe(false);
  });

  it("task-cancelled and unknown fields are valid where they are carried", () => {
    const event = taskEvent({ type: "task-cancelled", shadow: "x", nested: { a: [null] } } as Json);
    expect(isValid(event)).toBe(false);
    expect(validateEvent(event, { carryUnknown: true })).toEqual({ kind: "event", event });
    expect(validateEvent(taskEvent({ type: "foo-bar" }), { carryUnknown: true })).toMatchObject({
      reason: "unknown-type",
    });
    const deep = JSON.parse(`${"[".repeat(10_000)}${"]".repeat(10_000)}`);
    for (const value of [deep, 2 ** 53, [{ a: Number.POSITIVE_INFINITY }]]) {
      expect(validateEvent(taskEvent({ value }), { carryUnknown: true })).toMatchObject({
        reason: "invalid-field",
      });
    }
  });
});
