import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { mostSubscriptions } from "../../src/config/events.ts";
import { parseSubscription } from "../../src/config/leek-subscriptions.ts";
import { createEventsJob } from "../../src/events/job.ts";
import { openSubscriptionStore } from "../../src/events/subscription-store.ts";
import { collectLog } from "../harness.ts";

const letters = "abcdefghij";

it("more subscriptions than an agent may have are refused, before anything is tried", async () => {
  const state = await mkdtemp(join(tmpdir(), "posthouse-bound-"));
  const settings = (app_name: string): object => ({
    ...{ app_name, app_env: "prod", broker: "redis://127.0.0.1:1/0" },
    webhook: { url: "http://127.0.0.1:1" },
  });
  const subscriptions = Array.from({ length: mostSubscriptions }, (_, index) =>
    parseSubscription(settings(`app${letters[Math.floor(index / 10)]}${letters[index % 10]}`)),
  );
  // None of them runs: what counts is that they are there.
  const store = openSubscriptionStore(join(state, "state.db"));
  for (const { name } of subscriptions) store.want(name, "stopped");
  store.close();
  const job = createEventsJob({ state, config: { subscriptions }, log: collectLog().log });
  try {
    await job.start();
    await expect(job.call("add", settings("another"))).rejects.toMatchObject({
      code: "SUBSCRIPTIONS_TOO_MANY",
      message: expect.stringContaining(String(mostSubscriptions)),
    });
    job.configure({ subscriptions: subscriptions.slice(1) });
    // With room for it broker and receiver are tried, of which neither is there.
    const refused = { code: expect.stringMatching(/_UNREACHABLE$/) };
    await expect(job.call("add", settings("another"))).rejects.toMatchObject(refused);
  } finally {
    await job.stop(1000);
    await rm(state, { recursive: true, force: true });
  }
});
