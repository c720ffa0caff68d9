import { spawnSync } from "node:child_process";
import { appendFile, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** A file system of a few pages, in memory. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Takes all that is left of it; with `files`, no file or folder can be made either. */
  fill(what?: { readonly files: boolean }): Promise<void>;
  free(): Promise<void>;
}

/** Mounts one at this path. Only root can; else it says why not. */
export async function mountSmallDisk(
  path: string,
  megabytes: number = 1,
): Promise<SmallDisk | { readonly missing: string }> {
  await mkdir(path, { recursive: true });
  const { status, stderr, error } = spawnSync(
    "mount",
    ["-t", "tmpfs", "-o", `size=${megabytes}m,nr_inodes=${64 * megabytes},mode=700`, "tmpfs", path],
    {
      encoding: "utf8",
    },
  );
  if (status !== 0)
    return { missing: `a file system in memory cannot be mounted: ${error?.message ?? stderr.trim()}` };
  const filler = join(path, "filler");
  return {
    path,
    async fill({ files } = { files: false }) {
      await mkdir(filler, { recursive: true });
      for (const size of [64 * 1024, 4096, 1])
        await repeat(() => appendFile(join(filler, "bytes"), Buffer.alloc(size)));
      if (files) await repeat((index) => writeFile(join(filler, String(index)), ""));
    },
    free: () => rm(filler, { recursive: true }),
    async [Symbol.asyncDispose]() {
      spawnSync("umount", ["--lazy", path]);
    },
  };
}

async function repeat(write: (index: number) => Promise<void>): Promise<void> {
  for (let index = 0; ; index++) {
    const isFull = await write(index).then(
      () => false,
      () => true,
    );
    if (isFull) return;
  }
}
