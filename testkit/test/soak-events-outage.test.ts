import { describe, expect, it } from "vitest";
import { needRabbitMq } from "../src/rabbitmq.ts";
import {
  type EventsOutageResult,
  eventsOutageProblems,
  soakEventsOutage,
} from "../src/soak-events-outage.ts";

const rabbitMq = await needRabbitMq();
if ("missing" in rabbitMq) console.warn(`NOT TESTED: ${rabbitMq.missing}`);

describe.skipIf("missing" in rabbitMq)("a short outage of Leek's API", () => {
  it("costs no event", { timeout: 120_000 }, async () => {
    const options = { outageMs: 2000, perSecond: 500, isBuilt: false };
    const result = await soakEventsOutage(options);
    expect(result.arrived).toBe(result.published);
    expect(result.backlog).toBeGreaterThan(0);
  });
});

describe("the judgement of an outage", () => {
  const options = { outageMs: 1000, perSecond: 100, isBuilt: true, memoryLimitBytes: 150 * 2 ** 20 };
  const memory = { rest: 110e6, outage: 120e6, drain: 130e6 };
  const waited = { backlog: 100, backlogBytes: 40_000, drainMs: 10 };
  const good: EventsOutageResult = { published: 120, arrived: 120, repeated: 0, ...waited, memory };

  it.each<[string, Partial<EventsOutageResult>]>([
    ["119 of 120 events arrived", { arrived: 119 }],
    ["80 events were published, and 100 were to be", { published: 80, arrived: 80 }],
    ["only 70 events waited at the end of the outage", { backlog: 70 }],
    ["it took 151.0 MiB, and 150.0 are allowed", { memory: { ...memory, outage: 151 * 2 ** 20 } }],
  ])("tells: %s", (problem, change) => {
    expect(eventsOutageProblems(good, options)).toEqual([]);
    expect(eventsOutageProblems({ ...good, ...change }, options)).toEqual([problem]);
  });
});
