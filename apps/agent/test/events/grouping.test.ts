import { createLeekIndex, type IndexedDocument, type LeekIndex } from "@posthouse/testkit/leek-index";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createDocumentBatch } from "../../src/events/celery/batch.ts";
import type { CeleryEvent } from "../../src/events/celery/event.ts";
import { capturedEvents, taskEvent, workerEvent } from "./captures.ts";

/** What the API holds after these events came in batches of these sizes, the last of which repeats. */
function stored(events: readonly CeleryEvent[], sizes: readonly number[]): LeekIndex {
  const index = createLeekIndex();
  let at = 0;
  for (let batches = 0; at < events.length; batches++) {
    const size = sizes[Math.min(batches, sizes.length - 1)] ?? 1;
    index.post(posted(events.slice(at, at + size)));
    at += size;
  }
  return index;
}

function posted(events: readonly CeleryEvent[]): IndexedDocument[] {
  const batch = createDocumentBatch({ appEnv: "prod", now: () => 1 });
  for (const event of events) batch.add(event, Number.POSITIVE_INFINITY);
  return JSON.parse(batch.body());
}

const sizes = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
const fields = fc.record(
  {
    name: fc.constantFrom("a.b", "c"),
    args: fc.constantFrom("()", "(1,)", "(1, 2)"),
    kwargs: fc.constantFrom("{}", "{'x': 1}"),
    retries: fc.nat(2),
    queue: fc.constantFrom("low", "high"),
    result: fc.constantFrom("8", "'x'"),
    exception: fc.constantFrom("E()", "F()"),
    traceback: fc.constantFrom("Traceback (most recent call last):\nE: x", "celery.exceptions.Retry: y"),
    signum: fc.constantFrom(15, null),
  },
  { requiredKeys: [] },
);
const running = fc.constantFrom("sent", "received", "started", "retried");
const ended = fc.constantFrom("succeeded", "failed", "rejected", "revoked");

/**
 * The lives of a few tasks: each event later than the one before, at most one end, and nothing after it. Relations stay
 * the same: of a task that becomes its own parent, by a retry, the API forgets the former parent or not by grouping.
 */
const lives: fc.Arbitrary<CeleryEvent[]> = fc
  .array(
    fc.record({
      steps: fc.array(fc.tuple(running, fields), { maxLength: 12 }),
      end: fc.option(fc.tuple(ended, fields)),
      relations: fc.record({
        root_id: fc.constantFrom("a", "b", null),
        parent_id: fc.constantFrom("a", "b", null),
      }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((tasks) =>
    tasks.flatMap(({ steps, end, relations }, index) =>
      [...steps, ...(end === null ? [] : [end])].map(([type, more], step) =>
        taskEvent({ ...more, ...relations, type: `task-${type}`, uuid: "abc"[index], timestamp: step + 1 }),
      ),
    ),
  );
const disorder: fc.Arbitrary<CeleryEvent[]> = fc.array(
  fc
    .tuple(fc.constantFrom("a", "b"), fc.oneof(running, ended), fc.nat(5), fields)
    .map(([uuid, type, timestamp, more]) =>
      taskEvent({ ...more, uuid, type: `task-${type}`, timestamp, clock: timestamp }),
    ),
  { minLength: 1, maxLength: 20 },
);

describe("how events fall into batches", () => {
  it("does not matter to what is stored, while events come in order", () => {
    fc.assert(
      fc.property(lives, sizes, (events, sizes) => {
        expect(stored(events, sizes).documents).toEqual(stored(events, [1]).documents);
      }),
      { numRuns: 1000 },
    );
  });

  it("does not matter to state and time, in whatever order events come", () => {
    const outcome = (index: LeekIndex): unknown[] =>
      [...index.documents].map(([id, { state, timestamp, exact_timestamp, clock }]) => {
        // Whether a failure is critical depends on which event's retries are known by then.
        const plain = state === "CRITICAL" ? "FAILED" : state === "RECOVERED" ? "SUCCEEDED" : state;
        return [id, plain, timestamp, exact_timestamp, clock];
      });
    fc.assert(
      fc.property(disorder, sizes, (events, sizes) => {
        expect(outcome(stored(events, sizes))).toEqual(outcome(stored(events, [1])));
      }),
      { numRuns: 1000 },
    );
  });

  it("does not matter to workers, while events come in order", () => {
    const types = fc.array(fc.constantFrom("online", "heartbeat", "offline"), { maxLength: 20 });
    const events = types.map((types) =>
      types.map((type, time) => workerEvent({ type: `worker-${type}`, timestamp: time })),
    );
    fc.assert(
      fc.property(events, sizes, (events, sizes) => {
        expect(stored(events, sizes).documents).toEqual(stored(events, [1]).documents);
      }),
    );
  });

  it("gives the recorded run the same states in batches of one, seven and all", () => {
    const events = capturedEvents("rabbitmq");
    const states = (index: LeekIndex): unknown[] =>
      [...index.documents.values()].map(({ state, events_count }) => [state, events_count]);
    expect(states(stored(events, [7]))).toEqual(states(stored(events, [81])));
    expect(states(stored(events, [1]))).toEqual(states(stored(events, [81])));
  });
});

describe("a batch that is posted twice", () => {
  it("changes no field but the count and the names of events", () => {
    const bare = (index: LeekIndex): unknown[] =>
      [...index.documents.values()].map(({ events, events_count, ...rest }) => rest);
    fc.assert(
      fc.property(lives, (events) => {
        // A first one is stored without being merged, and so is not promoted: post something before.
        const first = [...Map.groupBy(events, (event) => ("uuid" in event ? event.uuid : "")).keys()];
        const before = first.map((uuid) => taskEvent({ uuid, timestamp: 0 }));
        const once = stored([...before, ...events], [before.length, events.length]);
        const twice = stored([...before, ...events, ...events], [before.length, events.length]);
        expect(bare(twice)).toEqual(bare(once));
      }),
    );
  });
});
