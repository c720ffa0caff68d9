import { describe, expect, it } from "vitest";
import { createDocumentBatch } from "../../src/events/celery/batch.ts";
import { type CeleryEvent, isTaskEvent, type TaskEvent } from "../../src/events/celery/event.ts";
import { readEvents } from "../../src/events/celery/received-event.ts";
import { amqp, capturedEvents, capturedMessages, capturedPosts, type Json } from "./captures.ts";

function documentsOf(events: readonly CeleryEvent[]): Json[] {
  const batch = createDocumentBatch({ appEnv: "prod", now: Date.now });
  for (const event of events) expect(batch.add(event, Number.POSITIVE_INFINITY)).toBe(true);
  expect(batch.events).toBe(events.length);
  return JSON.parse(batch.body());
}

const posts = capturedPosts();
const postedTasks = posts.flat().filter(({ kind }) => kind === "task");

describe("what Leek's agent posted, from recorded events", () => {
  it("reads every recorded message of both brokers", () => {
    const counts = { "task-sent": 19, "task-received": 18, "task-started": 16, "task-succeeded": 8 };
    const more = { "task-failed": 3, "task-retried": 4, "task-rejected": 1, "task-revoked": 3 };
    const workers = { "worker-online": 1, "worker-offline": 1 };
    expect(capturedMessages("rabbitmq").length).toBe(64);
    expect(countTypes(capturedEvents("rabbitmq"))).toEqual({
      ...counts,
      ...more,
      ...workers,
      "worker-heartbeat": 7,
    });
    expect(capturedMessages("redis").length).toBe(63);
    expect(countTypes(capturedEvents("redis"))).toEqual({
      ...counts,
      ...more,
      ...workers,
      "worker-heartbeat": 6,
    });
  });

  it("is the same documents, value by value and key by key", () => {
    const sent = capturedEvents("rabbitmq").filter(isTaskEvent);
    const templates = [...Map.groupBy(sent, ({ uuid }) => uuid).values()];
    expect(templates.length).toBe(postedTasks.length);
    const uuids = new Map(templates.map(([first], index) => [first?.uuid, String(postedTasks[index]?.id)]));
    const worker = capturedEvents("rabbitmq").find(({ type }) => type === "worker-online");
    for (const post of posts) {
      const events = post.flatMap((posted) => {
        const template = templates[postedTasks.indexOf(posted)];
        return template === undefined ? workerEvents(posted, worker) : taskEvents(posted, template, uuids);
      });
      // Through the wire format again, each in a message of its own.
      const read = events.flatMap((event) => readEvents(amqp(event), { carryUnknown: false }));
      const documents = documentsOf(
        read.map((one) => (one.kind === "event" ? one.event : expect.fail(one.detail))),
      );
      const bare = ({ updated_at, ...rest }: Json) => rest;
      expect(documents.map(bare)).toEqual(post.map(bare));
      expect(documents.map(Object.keys)).toEqual(post.map(Object.keys));
    }
  });

  for (const broker of ["rabbitmq", "redis"] as const) {
    it(`is of the same shape for the whole run on ${broker}, with what differs by run masked`, () => {
      const documents = documentsOf(capturedEvents(broker)).filter(({ kind }) => kind === "task");
      const byName = (a: Json, b: Json): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
      expect(documents.map(masked).sort(byName)).toEqual(postedTasks.map(masked).sort(byName));
    });
  }

  it("gives a worker's last state", () => {
    const [worker] = documentsOf(capturedEvents("redis"));
    expect(worker).toMatchObject({ id: "w1@vm", kind: "worker", state: "OFFLINE", events_count: 8, freq: 2 });
    expect(worker).toHaveProperty("online_at");
    expect(worker).toHaveProperty("last_heartbeat_at");
    expect(worker).not.toHaveProperty("events");
  });
});

function countTypes(events: readonly CeleryEvent[]): Record<string, number> {
  return Object.fromEntries(
    [...Map.groupBy(events, ({ type }) => type)].map(([type, list]) => [type, list.length]),
  );
}

const types: Readonly<Record<string, readonly [type: string, stamp: string]>> = {
  QUEUED: ["task-sent", "queued_at"],
  RECEIVED: ["task-received", "received_at"],
  STARTED: ["task-started", "started_at"],
  SUCCEEDED: ["task-succeeded", "succeeded_at"],
  FAILED: ["task-failed", "failed_at"],
  REJECTED: ["task-rejected", "rejected_at"],
  REVOKED: ["task-revoked", "revoked_at"],
  RETRY: ["task-retried", "retried_at"],
};

/**
 * The events that made a posted document, in order of arrival: texts from the recorded events of the same task in
 * another run, identity, order and times from the document itself.
 */
function taskEvents(posted: Json, template: TaskEvent[], uuids: ReadonlyMap<unknown, string>): Json[] {
  const states = (posted.events as string[]).toReversed();
  const stamps = Object.values(types).flatMap(([, stamp]) => (posted[stamp] as number | undefined) ?? []);
  const seen = new Map<string, number>();
  return states.map((state, index) => {
    const [type = "", stamp = ""] = types[state] ?? [];
    const nth = seen.get(type) ?? 0;
    seen.set(type, nth + 1);
    const same = template.filter((event) => event.type === type)[nth];
    const isLast = !states.includes(state, index + 1);
    const isNewest = index === states.length - 1;
    const earlier = Math.min(...stamps) / 1000 - 1 + index / 1000;
    const time = isLast ? Number(posted[stamp]) / 1000 + 0.0003 : earlier;
    const event: Json = {
      ...same,
      uuid: posted.id,
      hostname: state === "QUEUED" ? posted.client : posted.worker,
      clock: isNewest ? posted.clock : 0,
      pid: isNewest ? posted.pid : 0,
      timestamp: isNewest ? posted.exact_timestamp : time,
    };
    for (const id of ["root_id", "parent_id"]) if (event[id]) event[id] = uuids.get(event[id]);
    for (const moment of ["eta", "expires"]) {
      if (event[moment])
        event[moment] = new Date(Number(posted[moment])).toISOString().replace("Z", "500+00:00");
    }
    if (state === "SUCCEEDED") event.runtime = posted.runtime;
    return event;
  });
}

/** A worker's document counts its events, but only the last shows. */
function workerEvents(posted: Json, worker: CeleryEvent | undefined): Json[] {
  const last: Json = {
    ...worker,
    type: posted.state === "ONLINE" ? "worker-online" : "worker-heartbeat",
    timestamp: posted.exact_timestamp,
    clock: posted.clock,
    pid: posted.pid,
    active: posted.active,
    processed: posted.processed,
    loadavg: posted.loadavg,
  };
  const count = Number(posted.events_count);
  const before = Array.from({ length: count - 1 }, (_, index) => ({
    ...last,
    clock: index,
    timestamp: Number(posted.exact_timestamp) - count + index,
  }));
  return [...before, last];
}

/** Ids, times and the order of two publishers differ from run to run. */
function masked(document: Json): Json {
  const own: Json = {};
  for (const [name, value] of Object.entries(document)) {
    const varies =
      /^(id|uuid|clock|pid|updated_at|timestamp|exact_timestamp|runtime|client|root_id|parent_id|eta|expires|.*_at)$/;
    if (name === "events") own[name] = (value as string[]).toSorted();
    else own[name] = varies.test(name) ? typeof value : value;
  }
  return own;
}
