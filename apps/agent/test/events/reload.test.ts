import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

describe.skipIf("missing" in redis)("a reload of the configuration", () => {
  it("adds, changes and removes subscriptions, and leaves the others alone", async () => {
    await using harness = await startEventsHarness((settings) => [
      settings("stay"),
      settings("gone"),
      settings("else"),
    ]);
    const { settings, api } = harness;
    const since = async (name: string) => ((await harness.status(name, isRunning)).broker as Json).since;
    const [stay, other] = [await since("stay-prod"), await since("else-prod")];
    await harness.publish("stay", "held");

    await harness.reload(
      settings("stay"),
      settings("else", { batch_max_window_in_seconds: 6 }),
      settings("new"),
    );
    await harness.status("new-prod", isRunning);
    await until("one is gone", async () => (await harness.ask("subscriptions/gone-prod")).status === 404);
    await until("the changed one is another", async () => (await since("else-prod")) !== other);
    expect(await since("stay-prod")).toBe(stay);
    for (const app of ["stay", "else", "new", "gone"]) await harness.publish(app, `after ${app}`);
    await until("all of them deliver", async () => api.stored.length === 4);
    expect(api.stored.map(({ id }) => id).toSorted()).toEqual([
      "after else",
      "after new",
      "after stay",
      "held",
    ]);
  });

  it("delivers what is on disk, whatever was configured meanwhile", async () => {
    await using harness = await startEventsHarness((settings) => [
      settings("shop", { api_url: "http://127.0.0.1:1" }),
    ]);
    await harness.status("shop-prod", isRunning);
    await harness.publish("shop", "one", "two");
    await harness.status("shop-prod", ({ state, spool }) => state === "failing" && spool.records === 2);
    await harness.reload();
    await until("it is gone", async () => (await harness.ask("subscriptions/shop-prod")).status === 404);
    await harness.reload(harness.settings("shop"));
    await until("both are delivered", async () => harness.api.stored.length === 2);
  });
});

describe.skipIf("missing" in redis)("a broken subscription", () => {
  it("delays no other, neither at the start nor at the end", async () => {
    await using harness = await startEventsHarness((settings) => [
      settings("gone", { broker: "amqp://guest:guest@192.0.2.1:5672//" }),
      settings("dead", { api_url: "http://127.0.0.1:1" }),
      settings("shop"),
    ]);
    await harness.status("shop-prod", isRunning);
    await harness.status("dead-prod", isRunning);
    await harness.publish("dead", "kept");
    await harness.publish("shop", "one");
    await until("it is delivered", async () => harness.api.stored.length === 1);
    expect((await harness.status("gone-prod")).state).toMatch(/connecting|retrying/);
    const began = performance.now();
    await harness.agent.stop(20_000);
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
