import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { syncFolder } from "../src/sync-folder.ts";

const failure = (code: string): Error => Object.assign(new Error(code), { code });

test.each([
  ["EINVAL", true],
  ["ENOTSUP", true],
  ["EIO", false],
  ["ENOSPC", false],
])("a folder whose sync fails with %s is on the disk or not: %s", async (code, isFine) => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-sync-"));
  let handle: FileHandle | undefined;
  const opening = (async (...args: Parameters<typeof open>) => {
    handle = await open(...args);
    handle.sync = () => Promise.reject(failure(code));
    return handle;
  }) as typeof open;
  try {
    const done = syncFolder(folder, opening).then(() => true);
    if (isFine) expect(await done).toBe(true);
    else await expect(done).rejects.toMatchObject({ code });
    expect(handle?.fd).toBe(-1); // closed
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a folder that cannot be opened for want of handles is told; one that may not be is done without", async () => {
  const refuse =
    (code: string): typeof open =>
    () =>
      Promise.reject(failure(code));
  await expect(syncFolder("/", refuse("EMFILE"))).rejects.toMatchObject({ code: "EMFILE" });
  await syncFolder("/", refuse("EACCES"));
});
