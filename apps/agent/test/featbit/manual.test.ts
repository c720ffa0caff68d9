import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { exampleDump } from "@posthouse/testkit/featbit/example";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMetrics } from "../../src/core/metrics.ts";
import { applyBootstrap } from "../../src/replica/featbit/manual.ts";
import { registerFlagSourceMetrics } from "../../src/replica/featbit/metrics.ts";
import { backupOf, makeSource, type RunningSource } from "./harness.ts";

const config = { mode: "manual", api_key: "rp-key" };
let directory: string;
let running: RunningSource;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "posthouse-manual-"));
  running = makeSource({ directory, config });
  await running.source.start();
});
afterEach(async () => {
  await running.source.stop(2000);
  await rm(directory, { recursive: true, force: true });
});

const bytesOf = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** Larger than what is read on the serving thread. */
function largeDump() {
  const { featureFlags, segments } = makeFlags(300);
  const envId = featureFlags[0]?.envId ?? "";
  const secrets = [{ type: "server", projectKey: "p", envId, envKey: "e", value: "k".repeat(44) }];
  return { eventType: "rp_full", items: [{ envId, secrets, featureFlags, segments }] };
}

describe("a bootstrap", () => {
  it.each([
    ["as JSON", exampleDump()],
    ["as bytes", bytesOf(exampleDump())],
  ])("replaces everything, and comes back as the backup, %s", async (_, body) => {
    expect(running.store.isPopulated).toBe(false);
    expect(await applyBootstrap(running.store, body)).toEqual({
      serves: "shop:prod",
      dataVersion: 1740902400000,
    });
    expect(running.store.isAuthoritative).toBe(true);
    expect(backupOf(running.store)).toEqual(exampleDump());
    expect(running.source.relayStatus()).toEqual({
      serves: "shop:prod",
      dataVersion: 1740902400000,
      syncState: "None",
      lastSyncedAt: null,
      reportedAt: expect.any(String),
    });
  });

  it("may be large", async () => {
    const dump = largeDump();
    await applyBootstrap(running.store, bytesOf(dump));
    expect(JSON.stringify(backupOf(running.store))).toBe(JSON.stringify(dump));
  });

  it("needs neither eventType nor secrets, and its version never goes down", async () => {
    await applyBootstrap(running.store, exampleDump());
    const items = exampleDump().items.map(({ envId, featureFlags }) => ({
      envId,
      featureFlags: featureFlags.slice(0, 1),
      segments: [],
    }));
    expect(await applyBootstrap(running.store, { items })).toEqual({
      serves: "",
      dataVersion: 1740902400000,
    });
    expect(backupOf(running.store).items).toEqual([]);
  });

  it("survives a restart", async () => {
    await applyBootstrap(running.store, exampleDump());
    await running.source.stop(2000);
    running = makeSource({ directory, config });
    await running.source.start();
    expect(backupOf(running.store)).toEqual(exampleDump());
    expect(running.store.isAuthoritative).toBe(true);
  });

  it.each([
    [undefined, "the document"],
    [{ items: [{ envId: "e", featureFlags: [] }] }, "items[0].segments"],
    [
      { items: [{ envId: "e", featureFlags: [{ id: "f", envId: "e" }], segments: [] }] },
      "items[0].featureFlags[0].updatedAt",
    ],
    [new TextEncoder().encode("{,"), "it is not JSON"],
    [bytesOf({ ...largeDump(), items: [...largeDump().items, { envId: 7 }] }), "items[1].envId"],
  ])("that is malformed changes nothing (%#)", async (body, place) => {
    await applyBootstrap(running.store, exampleDump());
    await expect(applyBootstrap(running.store, body)).rejects.toMatchObject({
      code: "FLAGS_DUMP_INVALID",
      message: expect.stringContaining(place),
    });
    expect(backupOf(running.store)).toEqual(exampleDump());
  });
});

it("the metrics tell what is served", async () => {
  const metrics = createMetrics();
  registerFlagSourceMetrics(metrics, () => running.source);
  await applyBootstrap(running.store, exampleDump());
  const text = await metrics.text();
  for (const line of [
    'posthouse_flags_sync_state{state="None"} 1',
    "posthouse_flags_populated 1",
    "posthouse_flags_authoritative 1",
    'posthouse_flags_environment_version{environment="shop:prod"} 1740902400000',
    'posthouse_flags_environment_flags{environment="shop:prod"} 2',
    "posthouse_flags_problems 0",
    "posthouse_flags_snapshot_write_failures_total 0",
  ])
    expect(text).toContain(line);
});

describeLifecycle({
  name: "the flag source, mode manual",
  async create() {
    const own = await mkdtemp(join(tmpdir(), "posthouse-manual-"));
    const { source } = makeSource({ directory: own, config });
    return { part: source, cleanUp: () => rm(own, { recursive: true, force: true }) };
  },
});
