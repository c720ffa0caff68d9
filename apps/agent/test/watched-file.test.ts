import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { createFileWatch } from "../src/core/file-watch.ts";
import { createWatchedFile } from "../src/replica/watched-file.ts";
import { collectLog } from "./harness.ts";

test("what changes while a file is loaded is loaded after it, never beside it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-watched-"));
  const path = join(directory, "file");
  await writeFile(path, "1");
  const gates: PromiseWithResolvers<void>[] = [];
  let now = 0;
  let most = 0;
  const release = async (index: number): Promise<void> => {
    await vi.waitFor(() => expect(gates.length).toBe(index + 1), 10_000);
    gates[index]?.resolve();
  };
  const watched = createWatchedFile({
    path,
    log: collectLog().log,
    pollMs: 50,
    async load() {
      most = Math.max(most, ++now);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      await gate.promise;
      now--;
    },
    failedAt: () => undefined,
    onMissing: () => {},
    onSame: () => {},
  });
  const noticed = Promise.withResolvers<void>();
  const witness = createFileWatch(path, { log: collectLog().log, pollMs: 50, onChange: noticed.resolve });
  try {
    const started = watched.start();
    await release(0);
    await started;
    await writeFile(path, "22");
    await vi.waitFor(() => expect(gates.length).toBe(2), 10_000);
    await witness.start();
    await writeFile(path, "333");
    await noticed.promise;
    await release(1);
    await release(2);
    await watched.stop();
    expect(most).toBe(1);
  } finally {
    for (const { resolve } of gates) resolve();
    witness.stop();
    await watched.stop();
    await rm(directory, { recursive: true, force: true });
  }
});

test("a failure is tried again after a minute though the file stays the same; a missing file is told", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-watched-"));
  const path = join(directory, "file");
  await writeFile(path, "1");
  let loads = 0;
  let failedAt: Date | undefined = new Date();
  let missing = 0;
  let same = 0;
  const watched = createWatchedFile({
    path,
    log: collectLog().log,
    pollMs: 20,
    load: async () => {
      loads++;
    },
    failedAt: () => failedAt,
    onMissing: () => void missing++,
    onSame: () => void same++,
  });
  try {
    await watched.start();
    expect([loads, same]).toEqual([1, 0]);
    failedAt = new Date(Date.now() - 61_000);
    await vi.waitFor(() => expect(loads).toBeGreaterThan(1), 10_000);
    failedAt = undefined;
    await vi.waitFor(() => expect(same).toBeGreaterThan(0), 10_000);
    await rm(path);
    await vi.waitFor(() => expect(missing).toBeGreaterThan(0), 10_000);
  } finally {
    await watched.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
