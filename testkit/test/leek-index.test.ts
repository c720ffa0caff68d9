import { createLeekIndex, type IndexedDocument } from "@posthouse/testkit/leek-index";
import { describe, expect, it } from "vitest";

const task = (state: string, exact_timestamp: number, more: IndexedDocument = {}): IndexedDocument => {
  const common = { id: "t", kind: "task", uuid: "t", events: [state], events_count: 1 };
  return { ...common, state, exact_timestamp, ...more };
};
const worker = (state: string, exact_timestamp: number, more: IndexedDocument = {}): IndexedDocument => {
  return { id: "w", kind: "worker", state, exact_timestamp, events_count: 1, ...more };
};

function stored(...posted: IndexedDocument[]): IndexedDocument | undefined {
  const index = createLeekIndex();
  for (const document of posted) index.post([document]);
  return [...index.documents.values()][0];
}

describe("what Leek's API stores of a task", () => {
  it("the first as it came, without its id", () => {
    const { id, ...document } = task("FAILED", 1, { retries: 2, root_id: "t" });
    expect(stored({ id, ...document })).toEqual(document);
  });

  it("a terminal one wins, and so does whatever follows a document without uuid", () => {
    expect(stored(task("STARTED", 9), task("SUCCEEDED", 5))).toMatchObject({
      state: "SUCCEEDED",
      exact_timestamp: 5,
    });
    expect(stored({ ...task("SUCCEEDED", 9), uuid: undefined }, task("STARTED", 5))).toMatchObject({
      state: "STARTED",
    });
  });

  it("after a terminal one, what the agent had merged is kept as well", () => {
    const late = task("STARTED", 9, {
      events: ["STARTED", "RECEIVED", "QUEUED"],
      queue: "low",
      name: "a",
      started_at: 9,
    });
    expect(stored(task("SUCCEEDED", 5), late)).toMatchObject({
      state: "SUCCEEDED",
      queue: "low",
      name: "a",
      started_at: 9,
    });
    expect(stored(task("SUCCEEDED", 5), { ...late, events: ["STARTED"] })).not.toHaveProperty("queue");
  });

  it("of the same state and not newer: nothing, not even counted", () => {
    const first = task("STARTED", 5, { events_count: 3 });
    expect(stored(first, task("STARTED", 5, { pid: 7 }))).toMatchObject({
      events_count: 3,
      events: ["STARTED"],
    });
    expect(stored(first, task("RECEIVED", 5))).toMatchObject({
      events_count: 4,
      events: ["RECEIVED", "STARTED"],
    });
  });

  it("the last 21 events", () => {
    const events = Array(15).fill("RETRY");
    const document = stored(
      task("STARTED", 1, { events }),
      task("SUCCEEDED", 2, { events: Array(15).fill("STARTED") }),
    );
    expect(document?.events).toEqual([...Array(15).fill("STARTED"), ...Array(6).fill("RETRY")]);
  });

  it("critical, recovered, and no relation to itself", () => {
    const relations = { root_id: "t", parent_id: "p" };
    const critical = stored(task("RECEIVED", 1, { retries: 1, ...relations }), task("FAILED", 2));
    expect(critical).toMatchObject({ state: "CRITICAL", parent_id: "p" });
    expect(critical).not.toHaveProperty("root_id");
    expect(stored(task("SUCCEEDED", 2), task("RECEIVED", 1, { retries: 1 }))).toMatchObject({
      state: "RECOVERED",
    });
  });
});

describe("what Leek's API stores of a worker", () => {
  it("the newer wins; an older one of another state adds what is its own; else nothing", () => {
    const online = worker("ONLINE", 1, { online_at: 1, pid: 1 });
    const heartbeat = worker("HEARTBEAT", 2, { last_heartbeat_at: 2, pid: 2 });
    expect(stored(online, heartbeat)).toMatchObject({
      state: "HEARTBEAT",
      online_at: 1,
      pid: 2,
      events_count: 2,
    });
    expect(stored(heartbeat, online)).toMatchObject({
      state: "HEARTBEAT",
      online_at: 1,
      pid: 2,
      events_count: 2,
    });
    expect(stored(heartbeat, heartbeat)).toMatchObject({ events_count: 1 });
  });
});

it("refuses a document that the API cannot store", () => {
  expect(() => createLeekIndex().post([{ kind: "task" }])).toThrow(TypeError);
  expect(() => createLeekIndex().post([{ id: "x" }])).toThrow(TypeError);
});
