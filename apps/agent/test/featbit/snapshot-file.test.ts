import { chmod, copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { flagSnapshotPath } from "../../src/replica/featbit/snapshot-file.ts";
import { Bench, backupOf, makeSource, type RunningSource } from "./harness.ts";

let bench: Bench;
let path: string;
beforeEach(async () => {
  bench = await Bench.create();
  path = flagSnapshotPath(bench.directory, bench.featbit.streamingUrl);
});
afterEach(() => bench[Symbol.asyncDispose]());

const agrees = (running: RunningSource): Promise<void> =>
  vi.waitFor(() => expect(bench.differences(running)).toEqual([]), { timeout: 10_000, interval: 20 });

/** A directory with the copy of an agent that was in step; FeatBit is away. */
async function leaveCopy(): Promise<void> {
  const running = await bench.start();
  await agrees(running);
  await running.source.stop(2000);
  await bench.featbit.refuse();
}

/** An agent that cannot reach FeatBit, with a state directory of its own. */
async function startAlone(name: string): Promise<RunningSource & { readonly path: string }> {
  const directory = join(bench.directory, name);
  const running = await bench.start({ directory });
  return { ...running, path: flagSnapshotPath(directory, bench.featbit.streamingUrl) };
}

async function layOver(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

describe("the copy of the flags on disk", () => {
  it("is readable by its owner alone, and written after every change", async () => {
    const running = await bench.start();
    await agrees(running);
    await vi.waitFor(async () => expect((await stat(path)).mode & 0o777).toBe(0o600));
    bench.change();
    await agrees(running);
    const { updatedAt } = bench.world.flag(bench.environment.envId, "flag-0");
    await vi.waitFor(async () => expect(gunzipSync(await readFile(path)).toString()).toContain(updatedAt));
    // It is counted when its folder is on disk too.
    await vi.waitFor(() => expect(running.source.status.snapshot.writes).toBe(2));
    await vi.waitFor(
      () => expect(running.source.status.upstream?.counters.fullSyncs).toBeGreaterThan(2),
      10_000,
    );
    expect(running.source.status.snapshot.writes).toBe(2);
  });

  it("holds what changed last when the agent stops at once", async () => {
    const running = await bench.start({ timing: { debounceMs: 60_000 } });
    await agrees(running);
    await running.source.stop(2000);
    await bench.featbit.refuse();
    const again = await bench.start();
    expect(bench.differences(again)).toEqual([]);
  });

  it.each([
    ["cut short", (bytes: Buffer) => bytes.subarray(0, bytes.length >> 1)],
    ["empty", () => Buffer.alloc(0)],
    ["something else", () => Buffer.from("hello")],
    ["a copy of rules", () => gzipSync('{"posthouse":"snapshot","format":1}\n')],
    ["changed", (bytes: Buffer) => gzipSync(gunzipSync(bytes).toString().replace("flag-1", "flag-x"))],
    [
      "without its end",
      (bytes: Buffer) => gzipSync(gunzipSync(bytes).toString().split("\n").slice(0, -2).join("\n")),
    ],
    ["not JSON", (bytes: Buffer) => gzipSync(`${gunzipSync(bytes).toString()}flag {"\n`)],
  ])("is left aside when it is %s, and is fetched again", async (_, damage) => {
    await leaveCopy();
    await writeFile(path, damage(await readFile(path)));
    const running = await bench.start();
    expect(running.store.isPopulated).toBe(false);
    expect(running.source.status.snapshot).toMatchObject({
      damaged: 1,
      lastError: { code: "FLAGS_SNAPSHOT_DAMAGED" },
    });
    await bench.featbit.comeBack();
    await agrees(running);
    await running.source.stop(2000);
    const again = makeSource({
      directory: bench.directory,
      config: { mode: "manual", api_key: bench.key, streaming_uri: bench.featbit.streamingUrl },
    });
    await again.source.start();
    expect(bench.differences(again)).toEqual([]);
    await again.source.stop(2000);
  });

  it("that cannot be written stops nothing, and is written once it can be", async () => {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(join(bench.directory, "file"), "");
    // A directory in its place: also root cannot write a file there.
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "in-the-way"), "");
    const running = await bench.start();
    await agrees(running);
    await vi.waitFor(() =>
      expect(running.source.status.snapshot.lastError).toMatchObject({ code: "FLAGS_SNAPSHOT_NOT_WRITTEN" }),
    );
    bench.change();
    await agrees(running);
    await rm(path, { recursive: true });
    await vi.waitFor(() => expect(running.source.status.snapshot.lastError).toBeUndefined(), 5000);
    expect(gunzipSync(await readFile(path)).toString()).toContain('"posthouse":"flags"');
    await chmod(path, 0o600);
  });
});

describe("a copy of another agent, laid over while this one runs", () => {
  it("is picked up while FeatBit is away, a newer one again, an older one and rubbish not", async () => {
    const well = await bench.start();
    await agrees(well);
    await vi.waitFor(() => expect(well.source.status.snapshot.writes).toBeGreaterThan(0));
    const old = join(bench.directory, "old");
    await vi.waitFor(async () => {
      await copyFile(path, old);
      expect(gunzipSync(await readFile(old)).toString()).toContain("flag-0");
    });
    bench.change();
    await agrees(well);
    await well.source.stop(2000);
    await bench.featbit.refuse();

    const alone = await startAlone("alone");
    expect(alone.store.isPopulated).toBe(false);
    await layOver(old, alone.path);
    await vi.waitFor(() => expect(alone.store.isPopulated).toBe(true), 5000);
    expect(alone.store.isAuthoritative).toBe(false);
    await layOver(path, alone.path);
    await vi.waitFor(() => expect(backupOf(alone.store)).toEqual(backupOf(well.store)), 5000);
    expect(alone.source.status.snapshot.pickedUp).toBe(2);
    await layOver(old, alone.path);
    await writeFile(`${alone.path}.other`, "");
    await vi.waitFor(async () => expect((await readFile(alone.path)).equals(await readFile(old))).toBe(true));
    await writeFile(alone.path, "rubbish");
    await vi.waitFor(() => expect(alone.source.status.snapshot.damaged).toBe(1), 5000);
    expect(backupOf(alone.store)).toEqual(backupOf(well.store));
    expect(alone.source.status.snapshot.pickedUp).toBe(2);
  });

  it("changes nothing once FeatBit has said all", async () => {
    const one = await bench.start();
    await agrees(one);
    await vi.waitFor(() => expect(one.source.status.snapshot.writes).toBeGreaterThan(0));
    const strange = await Bench.create();
    try {
      const other = await strange.start();
      await vi.waitFor(() => expect(other.source.status.snapshot.writes).toBeGreaterThan(0));
      await layOver(flagSnapshotPath(strange.directory, strange.featbit.streamingUrl), path);
      await vi.waitFor(
        () => expect(one.source.status.upstream?.counters.fullSyncs).toBeGreaterThan(2),
        10_000,
      );
      expect(bench.differences(one)).toEqual([]);
      expect(one.source.status.snapshot.pickedUp).toBe(0);
    } finally {
      await strange[Symbol.asyncDispose]();
    }
  });

  it("in mode manual is what a person said", async () => {
    await leaveCopy();
    const directory = join(bench.directory, "manual");
    const config = { mode: "manual", api_key: bench.key, streaming_uri: bench.featbit.streamingUrl };
    const running = makeSource({ directory, config });
    await running.source.start();
    try {
      await layOver(path, flagSnapshotPath(directory, bench.featbit.streamingUrl));
      await vi.waitFor(() => expect(running.store.isAuthoritative).toBe(true), 5000);
      expect(bench.differences(running)).toEqual([]);
      expect(running.source.relayStatus()).toMatchObject({ syncState: "None", lastSyncedAt: null });
    } finally {
      await running.source.stop(2000);
    }
  });
});
