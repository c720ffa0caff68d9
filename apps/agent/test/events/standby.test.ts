/** Of a pair of agents the one that does not deliver says so. */
import { expect, it } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

it.skipIf("missing" in redis)("shows which of a pair stands by, and how it takes over", async () => {
  await using first = await startEventsHarness((settings) => [settings("shop", { pair: true })]);
  await first.status("shop-prod", isRunning);
  const other = first.settings("shop", { pair: true });
  await using second = await startEventsHarness(() => [other]);
  const isStandby = ({ state }: { state: string }): boolean => state === "standby";
  await second.status("shop-prod", isStandby);
  await first.publish("shop", "one");
  await second.status("shop-prod", ({ broker }) => ((broker as Json).pair as Json).held === 1);
  const admin = { headers: { authorization: "Bearer s3cret-of-admin" } };
  const metrics = await (await fetch(`${second.admin}/metrics`, admin)).text();
  expect(metrics).toMatch(/subscription_state\{subscription="shop-prod",state="standby"\} 1/);
  expect((await fetch(`${second.admin}/health/fresh?max=60s`, admin)).status).toBe(200);
  await first.ask("subscriptions/shop-prod/stop", { method: "POST" });
  expect(await second.status("shop-prod", isRunning)).toMatchObject({
    broker: { pair: { isLeading: true, overlap: 1, takeovers: 1 } },
  });
});
