/**
 * Appends with group commit: one write and fdatasync is under way, and what arrives meanwhile is the next group.
 *
 * - A record is copied into the last chunk, with its place in the file, when it is appended; a group is what the chunks
 *   hold and the disk does not.
 * - Nothing is acknowledged or readable before it is durable, in the order of positions.
 * - After a failed write everything that was not durable is rejected. Before anything else is written the segment is
 *   cut to what was durable, and the next segment begins with the position after that.
 * - After that each chunk is written and durable by itself, until no more waits than one of them: a disk that has room
 *   for some of what waits takes that.
 */
import { randomInt } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Log } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import type { Chunk, Chunks } from "./chunks.ts";
import type { SpoolCounters } from "./counters.ts";
import { type Disk, reasonOf, syncDirectory, unlinkIfThere, writeAll } from "./disk.ts";
import {
  endMarkBytes,
  recordHeaderBytes,
  segmentHeaderBytes,
  writeEndMark,
  writeRecord,
  writeSegmentHeader,
} from "./record.ts";
import { endMark, Segment, segmentName, segmentSuffix } from "./segment.ts";

/** Hears once that records are durable, or why not. `position` is that of the first of them. */
export type Appended = (error: Error | undefined, position: number) => void;

export interface WriterOptions {
  readonly directory: string;
  readonly segmentBytes: number;
  readonly chunkBytes: number;
  readonly disk: Disk;
  readonly chunks: Chunks;
  readonly counters: SpoolCounters;
  readonly log: Log;
  readonly now: () => number;
  /** The next position to be given. */
  readonly next: number;
  /** A path for a file that is written to see whether there is room again. */
  readonly probePath: string;
  /** The first records of a new segment are on disk. */
  readonly onSegment: (segment: Segment) => void;
  /** The next position is noted on disk beside the segments: all of them may go. */
  readonly onNextNoted: () => void;
  /** Records from this position on became durable. */
  readonly onGroup: (from: number) => void;
  /** A group is on disk, or writing failed, or works again. */
  readonly onChange: () => void;
}

interface Waiter {
  readonly position: number;
  readonly end: number;
  readonly done: Appended;
}

/** What of a chunk a group writes. */
interface Stretch {
  readonly chunk: Chunk;
  readonly from: number;
  readonly to: number;
  readonly endIndex: number;
}

const retryMs = 1000;

export class Writer {
  readonly #options: WriterOptions;
  #tail: Chunk | undefined;
  #next: number;
  #waiters: Waiter[] = [];
  #running: Promise<void> | undefined;
  #pendingBytes = 0;
  /** The file of the segment that was written last. */
  #file: { readonly segment: Segment; readonly handle: FileHandle } | undefined;
  /** The position after the last durable record. */
  #durableEnd: number;
  #failure: Error | undefined;
  #isByChunk = false;
  #retry: NodeJS.Timeout | undefined;
  #repairing: Promise<void> | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#next = options.next;
    this.#durableEnd = options.next;
  }

  /** Bytes that wait for the disk. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The position after the last record that is durable. */
  get end(): number {
    return this.#durableEnd;
  }

  /** Why nothing can be written at the moment. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  append(records: readonly Uint8Array[], done: Appended): void {
    const position = this.#next;
    for (const record of records) this.#put(record);
    this.#waiters.push({ position, end: this.#next, done });
    this.#run();
  }

  /** Resolves when nothing is being written or waits to be. */
  async settled(): Promise<void> {
    await this.#running;
    await this.#repairing;
  }

  /** Rejects what waits. */
  abandon(error: Error): void {
    this.#reject(this.#waiters.splice(0), error);
  }

  /** Ends the retries and closes the file, cut to what is durable. Call it when nothing is being written. */
  async close(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#failure !== undefined) await this.#cut().catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close().catch(() => {});
  }

  #put(record: Uint8Array): void {
    const { segmentBytes } = this.#options;
    const need = recordHeaderBytes + record.length;
    const tail = this.#tail;
    const offset = tail === undefined ? 0 : tail.fileOffset + tail.filled;
    const chunk =
      tail === undefined || (offset + need > segmentBytes && tail.endIndex > 0)
        ? this.#startSegment(need)
        : tail.filled + need > tail.bytes.length - endMarkBytes
          ? this.#addChunk(tail.segment, offset, tail.endIndex, need)
          : tail;
    writeRecord(chunk.bytes, chunk.filled, chunk.segment.salt, chunk.endIndex, record);
    chunk.filled += need;
    chunk.endIndex++;
    this.#pendingBytes += need;
    this.#next++;
  }

  #startSegment(need: number): Chunk {
    const { directory, now } = this.#options;
    const header = { first: this.#next, madeAtMs: now(), salt: randomInt(2 ** 32) };
    if (this.#tail !== undefined) this.#endSegment(this.#tail);
    const chunk = this.#addChunk(new Segment(directory, header), 0, 0, segmentHeaderBytes + need);
    writeSegmentHeader(chunk.bytes, header);
    chunk.filled = segmentHeaderBytes;
    this.#pendingBytes += segmentHeaderBytes;
    return chunk;
  }

  /** Each chunk has room for the mark. */
  #endSegment(tail: Chunk): void {
    writeEndMark(tail.bytes, tail.filled, tail.segment.salt, tail.endIndex);
    tail.filled += endMarkBytes;
    this.#pendingBytes += endMarkBytes;
  }

  #addChunk(segment: Segment, fileOffset: number, endIndex: number, least: number): Chunk {
    const bytes = Buffer.allocUnsafeSlow(Math.max(least + endMarkBytes, this.#options.chunkBytes));
    const chunk: Chunk = { segment, fileOffset, bytes, filled: 0, durable: 0, endIndex };
    this.#options.chunks.add(chunk);
    this.#tail = chunk;
    return chunk;
  }

  /** The last chunk stays in memory: one that was made for a large record is not to be it. */
  #releaseLarge(): void {
    const tail = this.#tail;
    if (tail === undefined || tail.bytes.length <= this.#options.chunkBytes) return;
    if (tail.durable === tail.filled)
      this.#addChunk(tail.segment, tail.fileOffset + tail.filled, tail.endIndex, 0);
  }

  #run(): void {
    // After a microtask: what the caller appends in one go is one group.
    this.#running ??= Promise.resolve().then(() => this.#writeGroups());
  }

  async #writeGroups(): Promise<void> {
    while (this.#waiters.length > 0) {
      const group = this.#waiters;
      this.#waiters = [];
      try {
        await this.#write(
          this.#options.chunks.undurable().map((chunk) => ({
            chunk,
            from: chunk.durable,
            to: chunk.filled,
            endIndex: chunk.endIndex,
          })),
        );
      } catch (cause) {
        this.#running = undefined;
        this.#fail(cause, group);
        return;
      }
      for (const waiter of group) this.#tell(waiter, undefined);
      this.#releaseLarge();
      this.#options.chunks.trim();
      this.#options.onChange();
    }
    this.#running = undefined;
  }

  async #write(stretches: readonly Stretch[]): Promise<void> {
    if (stretches.length <= 1) this.#isByChunk = false;
    for (const part of this.#isByChunk ? stretches.map((stretch) => [stretch]) : bySegment(stretches)) {
      const [first] = part;
      if (first === undefined) continue;
      const { segment } = first.chunk;
      const isNew = segment !== this.#file?.segment;
      const handle = isNew ? await this.#openFile(segment) : this.#file?.handle;
      if (handle === undefined) continue;
      const buffers = part.map(({ chunk, from, to }) => chunk.bytes.subarray(from, to));
      await writeAll(handle, buffers, first.chunk.fileOffset + first.from);
      await handle.datasync();
      if (isNew) await syncDirectory(this.#options.disk, this.#options.directory);
      this.#noteDurable(segment, part);
      if (isNew) this.#options.onSegment(segment);
    }
  }

  /** A file of this name can only be one in which there was nothing. */
  async #openFile(segment: Segment): Promise<FileHandle> {
    const before = this.#file;
    this.#file = undefined;
    await before?.handle.close().catch(() => {});
    const handle = await this.#options.disk.open(segment.path, "w", 0o600);
    this.#file = { segment, handle };
    return handle;
  }

  #noteDurable(segment: Segment, part: readonly Stretch[]): void {
    const { counters } = this.#options;
    const before = segment.size;
    const countBefore = segment.count;
    for (const { chunk, to, endIndex } of part) {
      chunk.durable = to;
      segment.size = chunk.fileOffset + to;
      segment.count = endIndex;
    }
    const records = segment.count - countBefore;
    this.#pendingBytes -= segment.size - before;
    this.#durableEnd = segment.end;
    if (records > 0) this.#options.onGroup(segment.first + countBefore);
    counters.recordsIn += records;
    counters.bytesIn += segment.size - before;
    counters.syncs++;
    counters.largestGroup = Math.max(counters.largestGroup, records);
  }

  #fail(cause: unknown, group: readonly Waiter[]): void {
    const { directory, chunks, counters, log, onChange } = this.#options;
    const reason = reasonOf(cause);
    const failure = agentErrors.create("SPOOL_WRITE_FAILED", { directory, reason }, { cause });
    counters.writeErrors++;
    log.error({ error: failure }, "the spool takes nothing until it can be written again");
    chunks.dropUndurable();
    this.#tail = undefined;
    this.#pendingBytes = 0;
    this.#next = this.#durableEnd;
    this.#failure = failure;
    this.#isByChunk = true;
    this.#retryLater();
    const waiting = this.#waiters.splice(0);
    for (const waiter of group) if (waiter.end <= this.#durableEnd) this.#tell(waiter, undefined);
    this.#reject([...group.filter(({ end }) => end > this.#durableEnd), ...waiting], failure);
    onChange();
  }

  #reject(waiters: readonly Waiter[], error: Error): void {
    for (const waiter of waiters) {
      this.#options.counters.recordsRejected += waiter.end - waiter.position;
      this.#tell(waiter, error);
    }
  }

  #tell({ position, done }: Waiter, error: Error | undefined): void {
    try {
      done(error, position);
    } catch (thrown) {
      this.#options.log.error({ error: thrown }, "a callback of an append failed");
    }
  }

  #retryLater(): void {
    this.#retry = setTimeout(() => {
      this.#repairing = this.#repair().finally(() => {
        this.#repairing = undefined;
      });
    }, retryMs);
    this.#retry.unref();
  }

  async #repair(): Promise<void> {
    try {
      await this.#cut();
      await this.#probe().catch(async (error) => {
        await this.#noteNext();
        throw error;
      });
    } catch (error) {
      this.#options.log.debug({ error }, "the spool cannot be written yet");
      this.#retryLater();
      return;
    }
    this.#failure = undefined;
    this.#options.log.info({ directory: this.#options.directory }, "the spool can be written again");
    this.#options.onChange();
  }

  /** Cuts the file to what is durable; a file in which nothing is goes. */
  async #cut(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const { segment, handle } = file;
    if (segment.size === 0) await unlinkIfThere(this.#options.disk, segment.path);
    else {
      await handle.truncate(segment.size);
      await writeAll(handle, [endMark(segment)], segment.size);
      await handle.datasync();
    }
    this.#file = undefined;
    await handle.close().catch(() => {});
  }

  /** So that the newest segment can make room too, when all in it is settled: as an empty file by the name of the next. */
  async #noteNext(): Promise<void> {
    const { directory, disk, onNextNoted } = this.#options;
    const handle = await disk.open(
      join(directory, segmentName(this.#durableEnd) + segmentSuffix),
      "w",
      0o600,
    );
    await handle.close();
    await syncDirectory(disk, directory);
    onNextNoted();
  }

  /** Whether there is room for a chunk: a group would be written and rejected else, again and again. */
  async #probe(): Promise<void> {
    const { disk, probePath, chunkBytes } = this.#options;
    try {
      const handle = await disk.open(probePath, "w", 0o600);
      try {
        await writeAll(handle, [Buffer.alloc(chunkBytes)], 0);
        await handle.datasync();
      } finally {
        await handle.close();
      }
    } finally {
      await unlinkIfThere(disk, probePath);
    }
  }
}

function bySegment(stretches: readonly Stretch[]): Stretch[][] {
  const parts: Stretch[][] = [];
  for (const stretch of stretches) {
    const part = parts.at(-1);
    if (part?.[0]?.chunk.segment === stretch.chunk.segment) part.push(stretch);
    else parts.push([stretch]);
  }
  return parts;
}
