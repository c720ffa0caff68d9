import { readFile, stat } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { fileFingerprint } from "./file-watch.ts";

const readAttempts = 25;
const readAgainMs = 200;

/**
 * Reads a file until it was the same before and after: it may be being written. Throws the error of `node:fs`, and an
 * error whose message says why when the file is too large or never the same.
 */
export async function readStableFile(path: string, maxBytes: number): Promise<Buffer> {
  for (let attempt = 0; attempt < readAttempts; attempt++) {
    const { size } = await stat(path);
    if (size > maxBytes) throw new Error(`it is larger than ${maxBytes / 2 ** 20} MiB`);
    const before = await fileFingerprint(path);
    const bytes = await readFile(path);
    if (before === (await fileFingerprint(path))) return bytes;
    await setTimeout(readAgainMs);
  }
  throw new Error("it is being written all the time");
}
