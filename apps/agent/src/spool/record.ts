/**
 * What stands in a segment file, little endian:
 *
 *     header   "PHSPOOL1", first position (f64), made at (f64, ms), salt (u32), CRC-32 of these
 *     records  CRC-32 of what follows (u32), payload length (u32), index in the segment (u32), payload
 *     end      like the header of a record, with the length 0xffffffff; its index is the number of records
 *
 * A record's CRC begins with the segment's salt, so that neither bytes of another file nor a payload that looks like a
 * record is taken for one; its index says which one it is where those before it cannot be read.
 */
import { crc32 } from "node:zlib";

export const recordHeaderBytes = 12;
export const segmentHeaderBytes = 32;

const magic = Buffer.from("PHSPOOL1", "latin1");

export interface SegmentHeader {
  readonly first: number;
  readonly madeAtMs: number;
  readonly salt: number;
}

export function writeSegmentHeader(bytes: Buffer, header: SegmentHeader): void {
  magic.copy(bytes);
  bytes.writeDoubleLE(header.first, 8);
  bytes.writeDoubleLE(header.madeAtMs, 16);
  bytes.writeUInt32LE(header.salt, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28)), 28);
}

/** Undefined when these bytes do not begin with a whole and valid header. */
export function readSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < segmentHeaderBytes || !bytes.subarray(0, magic.length).equals(magic)) return undefined;
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28))) return undefined;
  return {
    first: bytes.readDoubleLE(8),
    madeAtMs: bytes.readDoubleLE(16),
    salt: bytes.readUInt32LE(24),
  };
}

/** Writes a record at `at`; the buffer has room for it. */
export function writeRecord(
  bytes: Buffer,
  at: number,
  salt: number,
  index: number,
  payload: Uint8Array,
): void {
  const end = at + recordHeaderBytes + payload.length;
  bytes.writeUInt32LE(payload.length, at + 4);
  bytes.writeUInt32LE(index, at + 8);
  bytes.set(payload, at + recordHeaderBytes);
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, end), salt), at);
}

export const endMarkBytes = 12;
const endLength = 0xffffffff;

/** Writes at `at` that the segment is complete. */
export function writeEndMark(bytes: Buffer, at: number, salt: number, count: number): void {
  bytes.writeUInt32LE(endLength, at + 4);
  bytes.writeUInt32LE(count, at + 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(at + 4, at + endMarkBytes), salt), at);
}

/** The number of records, when these bytes are a valid end mark and nothing else. */
export function readEndMark(bytes: Buffer, salt: number): number | undefined {
  if (bytes.length !== endMarkBytes || bytes.readUInt32LE(4) !== endLength) return undefined;
  return bytes.readUInt32LE(0) === crc32(bytes.subarray(4, endMarkBytes), salt)
    ? bytes.readUInt32LE(8)
    : undefined;
}

/** Where the record at `at` ends by its own account, beyond the bytes perhaps. */
export function recordEnd(bytes: Buffer, at: number): number {
  const headerEnd = at + recordHeaderBytes;
  return headerEnd > bytes.length ? headerEnd : headerEnd + bytes.readUInt32LE(at + 4);
}

export function recordIndex(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 8);
}

/** Whether a whole and valid record stands at `at`. */
export function isRecord(bytes: Buffer, at: number, salt: number): boolean {
  const end = recordEnd(bytes, at);
  return end <= bytes.length && bytes.readUInt32LE(at) === crc32(bytes.subarray(at + 4, end), salt);
}

/** How much is hashed in search of a record: bytes that were made to look like records do not hold up a start. */
const searchBytes = 64 * 1024 * 1024;

/**
 * The first valid record from `from` on whose index is at least `leastIndex`; undefined when there is none. The bytes
 * stand at `fileOffset` of their file: what is before a record bounds its index.
 */
export function findRecord(
  bytes: Buffer,
  from: number,
  salt: number,
  leastIndex: number,
  fileOffset = 0,
): number | undefined {
  let hashed = 0;
  for (let at = from; at + recordHeaderBytes <= bytes.length && hashed < searchBytes; at++) {
    const index = recordIndex(bytes, at);
    const end = recordEnd(bytes, at);
    if (end > bytes.length || index < leastIndex || index > (fileOffset + at) / recordHeaderBytes) continue;
    if (isRecord(bytes, at, salt)) return at;
    hashed += end - at;
  }
  return undefined;
}

export interface ScannedSegment {
  /** One more than the last index found. */
  readonly count: number;
  /** Where the last valid record ends. */
  readonly end: number;
}

/** Looks through a whole segment file for its last valid record. */
export function scanSegment(bytes: Buffer, salt: number): ScannedSegment {
  let count = 0;
  let end = segmentHeaderBytes;
  for (;;) {
    const isNext = isRecord(bytes, end, salt) && recordIndex(bytes, end) === count;
    const at = isNext ? end : findRecord(bytes, end + 1, salt, count);
    if (at === undefined) return { count, end };
    count = recordIndex(bytes, at) + 1;
    end = recordEnd(bytes, at);
  }
}
