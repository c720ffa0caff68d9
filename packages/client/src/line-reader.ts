import { errors, reasonOf } from "./errors.ts";
import { createLineSplitter } from "./line-splitter.ts";
import { createSlicer } from "./slicer.ts";

/**
 * Hands every line of a body to `take`, in slices. Throws SNAPSHOT_DAMAGED for what is no text or does not end with a
 * newline, and whatever the body or `take` throws.
 */
export async function readLines(
  body: AsyncIterable<Uint8Array>,
  what: string,
  signal: AbortSignal,
  take: (line: string) => void,
): Promise<void> {
  const splitter = createLineSplitter();
  const slicer = createSlicer(signal);
  for await (const bytes of body) {
    signal.throwIfAborted();
    for (const line of asText(what, () => splitter.push(bytes))) {
      take(line);
      if (slicer.isDue()) await slicer.pause();
    }
  }
  if (asText(what, () => splitter.end()) !== "") {
    throw errors.create("SNAPSHOT_DAMAGED", { what, reason: "its last line is cut" });
  }
}

function asText<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw errors.create("SNAPSHOT_DAMAGED", { what, reason: reasonOf(cause) }, { cause });
  }
}
