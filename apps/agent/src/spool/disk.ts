import type { FileHandle } from "node:fs/promises";
import * as promises from "node:fs/promises";
import { endMarkBytes, readSegmentHeader, type SegmentHeader, segmentHeaderBytes } from "./record.ts";

/** What of `node:fs/promises` the spool uses. */
export type Disk = Pick<typeof promises, "mkdir" | "open" | "readdir" | "readFile" | "rename" | "unlink">;

export const realDisk: Disk = promises;

/** Writes all of the buffers at a place of the file, also where the system takes only a part at a time. */
export async function writeAll(
  handle: FileHandle,
  buffers: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let left = buffers.filter(({ length }) => length > 0);
  let at = position;
  while (left.length > 0) {
    const [only] = left;
    const { bytesWritten } =
      left.length === 1 && only !== undefined
        ? await handle.write(only, 0, only.length, at)
        : await handle.writev(left, at);
    at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

function without(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  const left: Uint8Array[] = [];
  for (const buffer of buffers) {
    if (skip < buffer.length) left.push(buffer.subarray(skip));
    skip = Math.max(0, skip - buffer.length);
  }
  return left;
}

/** Reads up to `length` bytes; fewer where the file ends. */
export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** What stands at both ends of a segment file, and its size. */
export async function readEnds(
  disk: Disk,
  path: string,
): Promise<{ header: SegmentHeader | undefined; mark: Buffer; size: number }> {
  const handle = await disk.open(path, "r");
  try {
    const { size } = await handle.stat();
    return {
      header: readSegmentHeader(await readAt(handle, 0, segmentHeaderBytes)),
      mark: await readAt(handle, Math.max(0, size - endMarkBytes), endMarkBytes),
      size,
    };
  } finally {
    await handle.close();
  }
}

/** A new name is on the disk only when its directory is. */
export async function syncDirectory(disk: Disk, directory: string): Promise<void> {
  const handle = await disk.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function unlinkIfThere(disk: Disk, path: string): Promise<void> {
  await disk.unlink(path).catch((error: unknown) => {
    if (!isCode(error, "ENOENT")) throw error;
  });
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

export function reasonOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}
