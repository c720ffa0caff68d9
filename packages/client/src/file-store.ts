import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import type { SnapshotStore } from "./client-options.ts";
import { syncFolder } from "./sync-folder.ts";

/**
 * One snapshot in one file, gzip-compressed. Written beside and renamed, so that a reader sees the earlier or the later
 * text and never a part; on the disk itself before `write()` resolves. Readable by its owner only. Parent directories
 * are made. What is read is checked by its reader: the first line has the hash.
 */
export function createFileStore(path: string): SnapshotStore {
  const file = resolve(path);
  return {
    async read() {
      const handle = await open(file, "r").catch(ignoring("ENOENT"));
      if (handle === undefined) return undefined;
      const source = handle.createReadStream({ highWaterMark: 64 * 1024 });
      const text = createGunzip();
      // A failure reaches the reader of the text.
      pipeline(source, text).catch(() => {});
      return text;
    },
    async write(lines) {
      const folder = dirname(file);
      await mkdir(folder, { recursive: true });
      await removeLeftovers(folder, basename(file));
      const temporary = `${file}.${process.pid}.tmp`;
      try {
        const handle = await open(temporary, "w", 0o600);
        try {
          await writeText(handle, lines);
        } finally {
          await handle.close();
        }
        await rename(temporary, file);
      } catch (error) {
        await unlink(temporary).catch(() => {});
        throw error;
      }
      await syncFolder(folder);
    },
  };
}

async function writeText(handle: FileHandle, lines: AsyncIterable<string>): Promise<void> {
  await handle.chmod(0o600);
  await pipeline(
    Readable.from(lines),
    createGzip({ level: 1 }),
    async (packed: AsyncIterable<Uint8Array>) => {
      for await (const bytes of packed) await handle.writeFile(bytes);
    },
  );
  await handle.sync();
}

const leftoverAgeMs = 3_600_000;

/** Files that a killed process left half written. */
async function removeLeftovers(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(`${name}.`) || !/\.\d+\.tmp$/.test(entry)) continue;
    const path = join(folder, entry);
    const found = await stat(path).catch(ignoring("ENOENT"));
    if (found !== undefined && Date.now() - found.mtimeMs > leftoverAgeMs)
      await unlink(path).catch(ignoring("ENOENT"));
  }
}

function ignoring(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && "code" in error && error.code === code) return undefined;
    throw error;
  };
}
