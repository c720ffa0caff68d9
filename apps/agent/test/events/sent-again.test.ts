/** Leek ignores a document of a state and time that it has: what is merged with what may be there must not get lost so. */
import { isDeepStrictEqual } from "node:util";
import { createLeekIndex, type IndexedDocument, type LeekIndex } from "@posthouse/testkit/leek-index";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { createDocumentBatch } from "../../src/events/celery/batch.ts";
import type { CeleryEvent } from "../../src/events/celery/event.ts";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import type { Again } from "../../src/events/celery/received-event.ts";
import { amqp, taskEvent, workerEvent } from "./captures.ts";
import { leekApi, leekSink, subject, temporaryFolder } from "./pipeline-harness.ts";

interface Step {
  readonly event: CeleryEvent;
  readonly again?: Again;
}

/** In order of arrival; the number is the place in time. */
const lives: readonly (readonly CeleryEvent[])[] = [
  task(["sent", 0], ["received", 1], ["started", 2], ["succeeded", 3]),
  task(["received", 1], ["sent", 0], ["started", 2], ["failed", 3]),
  task(["received", 1], ["started", 2], ["sent", 0], ["retried", 3]),
  worker(["online", 0], ["heartbeat", 1], ["offline", 2]),
  worker(["heartbeat", 1], ["online", 0], ["heartbeat", 3]),
];

function task(...steps: readonly (readonly [string, number])[]): CeleryEvent[] {
  return steps.map(([type, timestamp]) =>
    taskEvent({ type: `task-${type}`, timestamp, ...(type === "sent" && { queue: "low" }) }),
  );
}

function worker(...steps: readonly (readonly [string, number])[]): CeleryEvent[] {
  return steps.map(([type, timestamp]) => workerEvent({ type: `worker-${type}`, timestamp }));
}

/** `ends`: those after which a batch is closed, as bits. */
function post(index: LeekIndex, steps: readonly Step[], ends: number): void {
  let batch = createDocumentBatch({ appEnv: "prod", now: () => 1 });
  const send = (): void => {
    index.post(JSON.parse(batch.body()));
    batch = createDocumentBatch({ appEnv: "prod", now: () => 1 });
  };
  for (const [at, { event, again }] of steps.entries()) {
    if (!batch.add(event, Number.POSITIVE_INFINITY, again)) {
      send();
      batch.add(event, Number.POSITIVE_INFINITY, again);
    }
    if (((ends >> at) & 1) === 1) send();
  }
  send();
}

/** What Leek has of it, but how often, and in which order it came. */
function held(index: LeekIndex): unknown {
  return [...index.documents.values()].map(({ events, events_count: _, ...rest }: IndexedDocument) => [
    rest,
    new Set(events as string[] | undefined),
  ]);
}

const plain = (events: readonly CeleryEvent[]): Step[] => events.map((event) => ({ event }));
const allOf = (events: readonly CeleryEvent[]): unknown => {
  const index = createLeekIndex();
  post(index, plain(events), -1);
  return held(index);
};

function ordersOf<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => ordersOf(items.toSpliced(at, 1)).map((order) => [item, ...order]));
}

describe("what may have been sent before", () => {
  it("hides nothing from Leek after a kill, however it is cut into batches", () => {
    const wrong: object[] = [];
    for (const life of lives) {
      const wanted = allOf(life);
      const { length } = life;
      for (let sent = 0; sent <= length; sent++)
        for (let ends = 0; ends < 2 ** sent; ends++)
          for (let settled = 0; settled <= sent; settled++)
            for (let spooled = sent; spooled <= length; spooled++)
              for (let endsAgain = 0; endsAgain < 2 ** (length - settled); endsAgain++) {
                const index = createLeekIndex();
                post(index, plain(life.slice(0, sent)), ends);
                const left = life
                  .slice(settled)
                  .map(
                    (event, at): Step => (settled + at < spooled ? { event, again: "in-order" } : { event }),
                  );
                post(index, left, endsAgain);
                if (!isDeepStrictEqual(held(index), wanted))
                  wrong.push({ life, sent, ends, settled, spooled, endsAgain });
              }
    }
    expect(wrong).toEqual([]);
  });

  it("hides nothing from Leek when a broker delivers again, in any order", () => {
    const wrong: object[] = [];
    for (const life of [lives[0] ?? [], lives[4] ?? []]) {
      const wanted = allOf(life);
      for (const order of ordersOf(life))
        for (let sent = 0; sent <= life.length; sent++)
          for (let chosen = 0; chosen < 2 ** sent; chosen++) {
            const back = order.filter((_, at) => at >= sent || ((chosen >> at) & 1) === 1);
            for (const orderAgain of ordersOf(back)) {
              const index = createLeekIndex();
              post(index, plain(order.slice(0, sent)), -1);
              post(
                index,
                orderAgain.map((event) => ({ event, again: "any-order" })),
                0,
              );
              if (!isDeepStrictEqual(held(index), wanted)) wrong.push({ order, sent, orderAgain });
            }
          }
    }
    expect(wrong).toEqual([]);
  });

  it("is one document when all of it moves on, and when nothing of it was sent", () => {
    const [inOrder = [], late = []] = lives;
    const documents = (events: readonly CeleryEvent[], again?: Again): number => {
      const batch = createDocumentBatch({ appEnv: "prod", now: () => 1 });
      return events.filter((event) => batch.add(event, Number.POSITIVE_INFINITY, again)).length;
    };
    expect(documents(inOrder, "in-order")).toBe(4);
    expect(documents(late)).toBe(4);
    expect(documents(late, "in-order")).toBe(3);
  });
});

it("reaches Leek's document although the event before it was stored by a process that did not hear of it", async () => {
  const folder = await temporaryFolder();
  const api = await leekApi();
  api.faults.plan({ kind: "silent" });
  const [received, sent] = task(["received", 1], ["sent", 0]);
  const first = await subject({ sink: leekSink(api.url), folder, maxEvents: 1 });
  await first.take(amqp(received), amqp(sent));
  await until("the first is stored", async () => api.index.documents.size === 1);
  await first.pipeline.stop(0);
  await first.stop();
  const second = await subject({ sink: leekSink(api.url), folder, maxEvents: 100 });
  await second.settled();
  expect(api.index.documents.get("0000-1")).toMatchObject({
    ...{ state: "RECEIVED", received_at: 1000, queued_at: 0, queue: "low" },
    events: ["QUEUED", "RECEIVED"],
  });
});

it("reaches Leek's document although the other of a pair sent the event before it, and died", async () => {
  const api = await leekApi();
  const [received, sent] = task(["received", 1], ["sent", 0]);
  const leader = await subject({ sink: leekSink(api.url) });
  await leader.take(published(received));
  await leader.settled();
  await leader.stop();
  const standby = await subject({ sink: leekSink(api.url), maxEvents: 100 });
  await standby.take(
    ...[received, sent].map((event) => ({ ...published(event), isRedelivered: true as const })),
  );
  await standby.settled();
  expect(api.index.documents.get("0000-1")).toMatchObject({ received_at: 1000, queued_at: 0, queue: "low" });
});

/** As kombu publishes it on Redis. */
function published(event: CeleryEvent | undefined): BrokerMessage {
  const envelope = {
    body: Buffer.from(JSON.stringify(event)).toString("base64"),
    "content-type": "application/json",
    "content-encoding": "utf-8",
    headers: {},
    properties: { body_encoding: "base64" },
  };
  return { transport: "redis", payload: Buffer.from(JSON.stringify(envelope)) };
}
