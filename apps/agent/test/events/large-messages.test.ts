import { describe, expect, it } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

const succeeded = (uuid: string, resultBytes: number): string =>
  JSON.stringify({
    type: "task-succeeded",
    uuid,
    result: `'${"r".repeat(resultBytes)}'`,
    runtime: 0.5,
    ...{ hostname: "h@vm", utcoffset: 0, pid: 1, clock: 1, timestamp: Date.now() / 1000 },
  });

describe.skipIf("missing" in redis)("a large message", () => {
  it("is delivered up to 16 MiB or a quarter of the spool; what is larger is cut, and nothing waits behind it", async () => {
    await using harness = await startEventsHarness((settings) => [
      settings("shop"),
      settings("small", { spool_size: "16MiB" }),
    ]);
    await harness.status("shop-prod", isRunning);
    await harness.status("small-prod", isRunning);
    let received = 0;
    // One after the other: Redis cuts who leaves more than 32 MiB waiting.
    const publish = async (app: string, ...bodies: string[]): Promise<void> => {
      for (const body of bodies) {
        const wanted = ++received;
        await harness.publishBody(app, body);
        await harness.status(`${app}-prod`, ({ broker }) => (broker as Json).received === wanted);
      }
      received = 0;
    };
    // In base64 a body takes a third more.
    await publish("shop", succeeded("a", 4.2e6), succeeded("b", 12.4e6), succeeded("too large", 12.8e6));
    await publish(
      "small",
      succeeded("too large", 3.2e6),
      ...["c", "d", "e", "f", "g"].map((uuid) => succeeded(uuid, 2.9e6)),
    );
    const ended = async (name: string, delivered: number): Promise<void> => {
      const { events } = await harness.status(name, ({ events }) => {
        const { out, dead } = events as { out: number; dead: Json };
        return out === delivered && dead["too-large"] === 1;
      });
      expect(events).toMatchObject({ out: delivered, dead: { "too-large": 1 } });
    };
    await ended("shop-prod", 2);
    await ended("small-prod", 5);
    expect(harness.api.stored.map(({ id }) => id).toSorted()).toEqual([..."abcdefg"]);
  });
});
