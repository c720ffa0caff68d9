import type { Writable } from "node:stream";

const slabBytes = 64 * 1024;
const leastBytes = 8 * 1024;
const keptSlabs = 64;
const slabs: Buffer[] = [];

/**
 * Writes bytes that are valid during the call only. Large ones are copied to memory that is used again once they have
 * left, since large answers would otherwise keep the garbage collector busy. False as with `write`.
 */
export function writeCopy(stream: Writable, bytes: Buffer): boolean {
  if (bytes.length < leastBytes || bytes.length > slabBytes) return stream.write(Buffer.from(bytes));
  const slab = slabs.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
  bytes.copy(slab);
  return stream.write(slab.subarray(0, bytes.length), (error) => {
    // After an error somebody may still hold it.
    if (!error && slabs.length < keptSlabs) slabs.push(slab);
  });
}
