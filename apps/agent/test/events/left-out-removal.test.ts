/** What was added and cannot run any more, as after a change of the configuration, can still be removed. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openSubscriptionStore } from "../../src/events/subscription-store.ts";
import { startEventsHarness } from "./job-harness.ts";
import { temporaryFolder } from "./pipeline-harness.ts";
import { redis } from "./redis-peer.ts";

it.skipIf("missing" in redis)("a subscription that is left out is removed, and told no more", async () => {
  const folder = await temporaryFolder();
  await mkdir(join(folder, "state"));
  const store = openSubscriptionStore(join(folder, "state", "state.db"));
  store.put("old-prod", { app_name: "old", app_env: "prod" });
  store.close();
  await using harness = await startEventsHarness(() => [], { folder });
  const problems = async (): Promise<unknown> => (await harness.ask("subscriptions")).body.problems;
  expect(await problems()).toEqual([expect.stringContaining("old-prod (added) cannot be used")]);
  const remove = (query: string) => harness.ask(`subscriptions/old-prod${query}`, { method: "DELETE" });
  expect(await remove("?queue=delete")).toMatchObject({ body: { code: "SUBSCRIPTION_NOT_RABBITMQ" } });
  expect(await remove("")).toMatchObject({ status: 200, body: { removed: "old-prod" } });
  expect(await problems()).toEqual([]);
  expect(await remove("")).toMatchObject({ status: 404 });
});
