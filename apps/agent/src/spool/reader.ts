/**
 * Hands out the records that are not settled, in order, each once: from memory what was appended a moment ago, from
 * disk what was not. What cannot be read back is skipped to the next whole record, counted, and its segment marked.
 */
import type { FileHandle } from "node:fs/promises";
import type { Log } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import type { Chunks } from "./chunks.ts";
import type { SpoolCounters } from "./counters.ts";
import { type Disk, isCode, readAt, reasonOf } from "./disk.ts";
import {
  findRecord,
  isRecord,
  recordEnd,
  recordHeaderBytes,
  recordIndex,
  segmentHeaderBytes,
} from "./record.ts";
import type { Segment } from "./segment.ts";

export interface SpoolRecord {
  readonly position: number;
  /** A view of memory that many records share: copy what is kept for long. */
  readonly payload: Uint8Array;
}

export interface ReadLimits {
  /** Default 1000. */
  readonly maxRecords?: number;
  /** Of payload; a single record may be larger. Default 1 MiB. */
  readonly maxBytes?: number;
}

export interface ReaderOptions {
  readonly directory: string;
  readonly disk: Disk;
  readonly chunks: Chunks;
  readonly counters: SpoolCounters;
  readonly log: Log;
  /** In order; the first is the oldest, and the last the one that grows. */
  readonly segments: readonly Segment[];
  /** Records that cannot be read were marked as settled. */
  readonly onDamage: (segment: Segment) => void;
}

/** A part of a segment's file, whole records from its beginning on. */
interface Block {
  readonly segment: Segment;
  readonly fileOffset: number;
  readonly bytes: Buffer;
  readonly isFromDisk: boolean;
}

interface Cursor {
  readonly segment: Segment;
  offset: number;
  index: number;
}

const blockBytes = 1024 * 1024;

export class Reader {
  readonly #options: ReaderOptions;
  #cursor: Cursor | undefined;
  #isRewound = false;
  #block: Block | undefined;
  #file: { readonly segment: Segment; readonly handle: FileHandle } | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Makes the next read begin with the oldest record that is not settled. */
  rewind(): void {
    this.#isRewound = true;
  }

  /** Memory held beside the chunks. */
  get bytes(): number {
    return this.#block?.bytes.length ?? 0;
  }

  /** Whether all that is on disk has been handed out. */
  isAtEnd(): boolean {
    return !this.#isRewound && this.#advance() === undefined;
  }

  /** What there is, perhaps nothing. @throws SPOOL_READ_FAILED; then nothing was passed over. */
  async read({ maxRecords = 1000, maxBytes = blockBytes }: ReadLimits): Promise<SpoolRecord[]> {
    const records: SpoolRecord[] = [];
    let bytes = 0;
    if (this.#isRewound) this.#cursor = undefined;
    this.#isRewound = false;
    while (records.length < maxRecords) {
      const cursor = this.#advance();
      if (cursor === undefined) break;
      const block = this.#find(cursor);
      if (block === undefined) {
        if (records.length > 0) break;
        await this.#load(cursor);
        continue;
      }
      const { segment, index } = cursor;
      const end = Math.min(segment.count, cursor.index + maxRecords - records.length);
      while (cursor.index < end) {
        const at = cursor.offset - block.fileOffset;
        if (!this.#isWhole(block, at, cursor)) break;
        const next = recordEnd(block.bytes, at);
        if (!segment.has(cursor.index)) {
          const payload = block.bytes.subarray(at + recordHeaderBytes, next);
          if (records.length > 0 && bytes + payload.length > maxBytes) return records;
          records.push({ position: segment.first + cursor.index, payload });
          bytes += payload.length;
        }
        cursor.index++;
        cursor.offset += next - at;
      }
      this.#options.chunks.passed(segment, cursor.offset);
      if (cursor.index === index) this.#block = undefined; // not what it should be: looked at anew
    }
    return records;
  }

  /** The file of a segment that was removed: as long as it is open it takes room. */
  async release(segment: Segment): Promise<void> {
    if (this.#file?.segment === segment) await this.close();
  }

  async close(): Promise<void> {
    this.#block = undefined;
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => {});
  }

  /** The cursor where a record is; undefined when all have been handed out. */
  #advance(): Cursor | undefined {
    const { segments } = this.#options;
    const cursor = this.#cursor;
    if (cursor !== undefined && !cursor.segment.isRemoved && cursor.index < cursor.segment.count)
      return cursor;
    const segment = segments.find(
      ({ first, isSettled }) => !isSettled && (cursor === undefined || first > cursor.segment.first),
    );
    if (segment === undefined) {
      this.#block = undefined;
      return undefined;
    }
    this.#cursor = { segment, offset: segmentHeaderBytes, index: 0 };
    return this.#cursor;
  }

  #find({ segment, offset }: Cursor): Block | undefined {
    const chunk = this.#options.chunks.find(segment, offset);
    if (chunk !== undefined) {
      const { fileOffset, bytes, durable } = chunk;
      return { segment, fileOffset, bytes: bytes.subarray(0, durable), isFromDisk: false };
    }
    const block = this.#block;
    const isInIt =
      block?.segment === segment &&
      offset >= block.fileOffset &&
      recordEnd(block.bytes, offset - block.fileOffset) <= block.bytes.length;
    return isInIt ? block : undefined;
  }

  #isWhole(block: Block, at: number, { segment, index }: Cursor): boolean {
    if (!block.isFromDisk) return at < block.bytes.length;
    return isRecord(block.bytes, at, segment.salt) && recordIndex(block.bytes, at) === index;
  }

  /** Reads the block that begins at the cursor; where no whole record is, goes to the next one. */
  async #load(cursor: Cursor): Promise<void> {
    const { segment, offset, index } = cursor;
    const left = Math.max(0, segment.size - offset);
    try {
      let bytes = await this.#readFile(segment, offset, Math.min(blockBytes, left));
      const end = recordEnd(bytes, 0);
      if (end > bytes.length && end <= left) bytes = await this.#readFile(segment, offset, end);
      if (isRecord(bytes, 0, segment.salt) && recordIndex(bytes, 0) === index)
        this.#block = { segment, fileOffset: offset, bytes, isFromDisk: true };
      else this.#skip(cursor, await this.#readFile(segment, offset, left));
    } catch (cause) {
      if (isCode(cause, "ENOENT")) return this.#skip(cursor, Buffer.alloc(0));
      this.#options.counters.readErrors++;
      const { directory } = this.#options;
      throw agentErrors.create("SPOOL_READ_FAILED", { directory, reason: reasonOf(cause) }, { cause });
    }
  }

  async #readFile(segment: Segment, offset: number, length: number): Promise<Buffer> {
    if (this.#file?.segment !== segment) {
      await this.close();
      this.#file = { segment, handle: await this.#options.disk.open(segment.path, "r") };
    }
    return readAt(this.#file.handle, offset, length);
  }

  /** Counts as damaged what is before the next whole record of `bytes`, the segment from the cursor on. */
  #skip(cursor: Cursor, bytes: Buffer): void {
    const { counters, log, onDamage } = this.#options;
    const { segment, index } = cursor;
    const found = findRecord(bytes, 1, segment.salt, index + 1, cursor.offset);
    cursor.index = found === undefined ? segment.count : recordIndex(bytes, found);
    cursor.offset += found ?? bytes.length;
    let damaged = 0;
    for (let lost = index; lost < cursor.index; lost++) if (segment.settle(lost)) damaged++;
    counters.recordsDamaged += damaged;
    segment.isDamaged = true;
    log.error(
      { file: segment.path, from: segment.first + index, records: damaged },
      "records of the spool cannot be read back",
    );
    onDamage(segment);
  }
}
