import { join } from "node:path";
import { crc32 } from "node:zlib";
import { endMarkBytes, type SegmentHeader, writeEndMark } from "./record.ts";

const settledEntryBytes = 12;

export const segmentSuffix = ".segment";
export const settledSuffix = ".settled";

/** One segment: which records of it are on disk and which of them are settled. Records are named by their index in it. */
export class Segment {
  readonly path: string;
  readonly settledPath: string;
  readonly first: number;
  readonly madeAtMs: number;
  readonly salt: number;
  /** Records on disk. */
  count = 0;
  /** Bytes on disk. */
  size = 0;
  settledCount = 0;
  /** Bytes of the file of settled records that hold entries. */
  settledSize = 0;
  /** Something in it could not be read: it is set aside in the end, not unlinked. */
  isDamaged = false;
  isRemoved = false;
  /** Ranges that are not in the file of settled records yet: from, end, from, end … */
  #unsaved: number[] = [];
  /** All below it are settled. */
  #lowest = 0;
  #bits: Uint8Array = new Uint8Array(0);

  constructor(directory: string, header: SegmentHeader) {
    const name = segmentName(header.first);
    this.path = join(directory, name + segmentSuffix);
    this.settledPath = join(directory, name + settledSuffix);
    this.first = header.first;
    this.madeAtMs = header.madeAtMs;
    this.salt = header.salt;
  }

  get end(): number {
    return this.first + this.count;
  }

  get isSettled(): boolean {
    return this.settledCount === this.count;
  }

  get hasUnsaved(): boolean {
    return this.#unsaved.length > 0;
  }

  has(index: number): boolean {
    return index < this.#lowest || ((this.#bits[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** The first one that is not settled; `count` when there is none. */
  lowest(): number {
    while (this.#lowest < this.count && this.has(this.#lowest)) this.#lowest++;
    return this.#lowest;
  }

  /** False when it was settled before. */
  settle(index: number): boolean {
    if (!this.#mark(index)) return false;
    const unsaved = this.#unsaved;
    if (unsaved.at(-1) === index) unsaved[unsaved.length - 1] = index + 1;
    else unsaved.push(index, index + 1);
    return true;
  }

  /** What the file of settled records has still to get. When it could not be written: `keepUnsaved`. */
  takeUnsaved(): { readonly bytes: Buffer; readonly ranges: number[] } {
    const ranges = this.#unsaved;
    this.#unsaved = [];
    const bytes = Buffer.allocUnsafe((ranges.length / 2) * settledEntryBytes);
    for (let entry = 0; entry * settledEntryBytes < bytes.length; entry++) {
      const at = entry * settledEntryBytes;
      bytes.writeUInt32LE(ranges[2 * entry] as number, at);
      bytes.writeUInt32LE(ranges[2 * entry + 1] as number, at + 4);
      bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 8), this.salt), at + 8);
    }
    return { bytes, ranges };
  }

  keepUnsaved(ranges: readonly number[]): void {
    this.#unsaved = [...ranges, ...this.#unsaved];
  }

  /** Takes over what the file of settled records says. Entries that are not whole and valid settle nothing. */
  loadSettled(bytes: Buffer): void {
    this.settledSize = bytes.length - (bytes.length % settledEntryBytes);
    for (let at = 0; at < this.settledSize; at += settledEntryBytes) {
      if (bytes.readUInt32LE(at + 8) !== crc32(bytes.subarray(at, at + 8), this.salt)) continue;
      const end = Math.min(bytes.readUInt32LE(at + 4), this.count);
      for (let index = bytes.readUInt32LE(at); index < end; index++) this.#mark(index);
    }
  }

  #mark(index: number): boolean {
    if (index >= this.count || this.has(index)) return false;
    const byte = index >>> 3;
    if (byte >= this.#bits.length) this.#grow(byte + 1);
    this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (index & 7));
    this.settledCount++;
    return true;
  }

  #grow(least: number): void {
    const bits = new Uint8Array(Math.max(64, 2 * least, (this.count + 7) >>> 3));
    bits.set(this.#bits);
    this.#bits = bits;
  }
}

/** What stands after the last record of a complete segment. */
export function endMark({ salt, count }: Segment): Buffer {
  const mark = Buffer.alloc(endMarkBytes);
  writeEndMark(mark, 0, salt, count);
  return mark;
}

/** Positions have as many digits in file names as the largest one. */
export function segmentName(first: number): string {
  return String(first).padStart(16, "0");
}
