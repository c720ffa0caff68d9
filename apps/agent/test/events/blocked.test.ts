/** What is blocked says by what, and why, whatever else is wrong. */
import { stat, truncate } from "node:fs/promises";
import { join } from "node:path";
import { mountSmallDisk } from "@posthouse/testkit/small-disk";
import { expect, it, onTestFinished } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { temporaryFolder } from "./pipeline-harness.ts";
import { redis } from "./redis-peer.ts";

it.skipIf("missing" in redis)(
  "names the full disk, after a restart and while the API is away too",
  async ({ skip }) => {
    const folder = await temporaryFolder();
    const disk = await mountSmallDisk(folder, 4);
    if ("missing" in disk) {
      console.warn(`NOT TESTED: ${disk.missing}`);
      return skip(disk.missing);
    }
    onTestFinished(() => disk[Symbol.asyncDispose]());
    await using harness = await startEventsHarness((settings) => [settings("shop")], { folder });
    const isBlocked = ({ state, blockedBy }: { state: string; blockedBy?: unknown }): boolean =>
      state === "blocked" && blockedBy !== undefined;
    await harness.status("shop-prod", isRunning);
    harness.api.faults.always = { kind: "status", status: 503 };
    await harness.publish("shop", "one");
    await harness.status("shop-prod", ({ state }) => state === "failing");
    await disk.fill();
    await harness.publish("shop", ...Array.from({ length: 20 }, (_, index) => `task-${index}`));
    const full = { blockedBy: { by: "disk", message: expect.stringContaining("ENOSPC") } };
    expect(await harness.status("shop-prod", isBlocked)).toMatchObject(full);
    // Enough for an agent to start, and not for what arrives then.
    const filler = join(folder, "filler/bytes");
    await truncate(filler, (await stat(filler)).size - 64 * 1024);
    await harness.restart();
    await harness.status("shop-prod", ({ broker }) => (broker as Json | undefined)?.state === "receiving");
    await harness.publishBody("shop", "x".repeat(512 * 1024));
    expect(await harness.status("shop-prod", isBlocked)).toMatchObject(full);
    harness.api.faults.always = undefined;
    await disk.free();
    await harness.status("shop-prod", ({ blockedBy }) => blockedBy === undefined);
  },
  90_000,
);
