/** A replay says what it left, and why; what cannot be replayed is listed so. */
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

describe.skipIf("missing" in redis)("a replay of dead letters", () => {
  it("says which were left and why", async () => {
    await using harness = await startEventsHarness((settings) => [settings("shop")]);
    await harness.status("shop-prod", isRunning);
    const letters = async (): Promise<Json[]> =>
      (await harness.ask("dead-letters")).body.deadLetters as Json[];
    const replay = (json: Json) => harness.ask("dead-letters/replay", { method: "POST", json });
    await harness.publishBody("shop", "{}");
    await harness.publishBody("shop", "x".repeat(13 * 2 ** 20));
    await until("both are dead letters", async () => (await letters()).length === 2, 30_000);
    const found = await letters();
    const cut = found.find(({ reason }) => reason === "too-large");
    const whole = found.find(({ reason }) => reason === "unknown-type");
    expect(cut).toMatchObject({ isCut: true, cannotReplay: "only its beginning was kept" });
    expect(whole).not.toHaveProperty("cannotReplay");

    expect(await replay({ ids: [cut?.id, 4711, 4712] })).toMatchObject({
      status: 200,
      body: {
        replayed: 0,
        left: [
          { reason: "only its beginning was kept", letters: 1 },
          { reason: "there is none with that id", letters: 2 },
        ],
      },
    });
    expect((await replay({ ids: [whole?.id] })).body).toEqual({ replayed: 1, left: [] });
    await until("it is one again", async () => (await letters()).length === 2);
    expect((await replay({ subscription: "shop-prod" })).body).toEqual({
      replayed: 1,
      left: [{ reason: "only its beginning was kept", letters: 1 }],
    });
  });
});
