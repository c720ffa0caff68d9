import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

describe.skipIf("missing" in redis)("what a library warns of", () => {
  it("is an entry of the log like any other: a password for a Redis without one", async () => {
    await using harness = await startEventsHarness((settings) => {
      const { broker } = settings("shop");
      return [settings("shop", { broker: String(broker).replace(":@", ":geheim@") })];
    });
    await harness.status("shop-prod", isRunning);
    const warns = (): boolean =>
      harness.entries.some(({ said }) => String(said).includes("does not require a password"));
    await until("it is told", async () => warns());
    expect(JSON.stringify(harness.entries)).not.toContain("geheim");
  });
});
