/**
 * A queue on disk between something that must not lose what it has accepted and something that may be away for hours.
 * An append is acknowledged when it is durable; a record is read again, after a restart or a rewind, until it is
 * settled. So every acknowledged record is handed out at least once, in order of its position.
 *
 * A directory holds segments of records (`record.ts`), beside each a file that says which of them are settled
 * (`settlements.ts`), and a lock. Positions are whole numbers that ascend and are not given twice.
 */
import { join } from "node:path";
import type { Log, Part } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import { Ages } from "./ages.ts";
import { Chunks } from "./chunks.ts";
import { createCounters, type SpoolCounters, type SpoolGauges } from "./counters.ts";
import { type Disk, realDisk, reasonOf, syncDirectory } from "./disk.ts";
import { lockSpool, type SpoolLock } from "./lock.ts";
import { Reader, type ReadLimits, type SpoolRecord } from "./reader.ts";
import { recordHeaderBytes } from "./record.ts";
import { recoverSegments } from "./recovery.ts";
import { createRoom } from "./room.ts";
import type { Segment } from "./segment.ts";
import { Settlements } from "./settlements.ts";
import { type Appended, Writer } from "./writer.ts";

export interface SpoolOptions {
  /** Of this queue alone; made when it is not there. */
  readonly directory: string;
  /** What it may take on disk. It counts as full from nine tenths on, until a quarter is free. */
  readonly maxBytes: number;
  /** Default 8 MiB, and at most an eighth of `maxBytes`. A segment is removed as a whole. */
  readonly segmentBytes?: number;
  /** What may wait for the disk in memory. Default 16 MiB. */
  readonly memoryBytes?: number;
  /** What is kept in memory for the reader although it is on disk. Default 1 MiB, and at most `memoryBytes`. */
  readonly keptBytes?: number;
  /** Default 4 MiB. */
  readonly maxRecordBytes?: number;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly disk?: Disk;
}

export interface Spool extends Part {
  /** @throws SPOOL_IN_USE, SPOOL_UNUSABLE; it can be tried again. */
  start(): Promise<void>;
  /**
   * Takes one record or several, whose bytes are the caller's again at once. Resolves with the position of the first
   * when all are durable; the others follow it. Rejects with SPOOL_WRITE_FAILED, SPOOL_FULL, SPOOL_BUSY,
   * SPOOL_RECORD_TOO_LARGE or SPOOL_STOPPED; some of several may be durable then all the same.
   */
  append(records: Uint8Array | readonly Uint8Array[]): Promise<number>;
  /** The same with a callback in place of the promise. */
  appendThen(records: Uint8Array | readonly Uint8Array[], done: Appended): void;
  /**
   * The next records, as soon as there are any, oldest first; none when the signal is aborted or the spool stopped.
   * One read at a time. @throws SPOOL_READ_FAILED; the next read tries the same again.
   */
  read(limits?: ReadLimits, signal?: AbortSignal): Promise<readonly SpoolRecord[]>;
  /** Makes the next read begin anew with the oldest record that is not settled. */
  rewind(): void;
  /** These records are done with, in any order. Noted on disk within moments. */
  settle(positions: Iterable<number>): void;
  /** True: append no more where that can be avoided. Appends are refused only at `maxBytes`, or while writes fail. */
  readonly isFull: boolean;
  /** The position after the last record that is durable; 0 while it does not run. */
  readonly end: number;
  /** Why nothing more is taken: SPOOL_WRITE_FAILED or SPOOL_FULL; undefined when that is not so, or for moments only. */
  readonly obstacle: Error | undefined;
  /** Calls back each time it is no longer full; returns what ends that. */
  onRoom(listener: () => void): () => void;
  readonly counters: Readonly<SpoolCounters>;
  gauges(): SpoolGauges;
}

export function createSpool(options: SpoolOptions): Spool {
  const { directory, maxBytes, log, memoryBytes = 16 * 2 ** 20, maxRecordBytes = 4 * 2 ** 20 } = options;
  const { now = Date.now, disk = realDisk } = options;
  const segmentBytes = Math.min(options.segmentBytes ?? 8 * 2 ** 20, Math.ceil(maxBytes / 8));
  const counters = createCounters();
  const chunks = new Chunks(Math.min(memoryBytes, options.keptBytes ?? 2 ** 20));
  const segments: Segment[] = [];
  const ages = new Ages(now);
  let state: "new" | "running" | "stopped" = "new";
  let open: { lock: SpoolLock; writer: Writer; reader: Reader; settlements: Settlements } | undefined;
  let bytesAtStart = 0;
  let bytesRemoved = 0;
  let reading: Promise<SpoolRecord[]> | undefined;
  let wake: (() => void) | undefined;
  let stopping: Promise<void> | undefined;

  const bytesOnDisk = (): number => bytesAtStart + counters.bytesIn - bytesRemoved;
  const pendingBytes = (): number => open?.writer.pendingBytes ?? 0;
  const usedBytes = (): number => bytesOnDisk() + pendingBytes();
  const lowBytes = 0.75 * maxBytes;
  const room = createRoom(
    [
      { bytes: usedBytes, highBytes: 0.9 * maxBytes, lowBytes },
      { bytes: pendingBytes, highBytes: 0.5 * memoryBytes, lowBytes: 0.25 * memoryBytes },
    ],
    () => open?.writer.failure !== undefined,
  );

  function refusal(records: readonly Uint8Array[], bytes: number): Error | undefined {
    if (open === undefined || state !== "running") return agentErrors.create("SPOOL_STOPPED", { directory });
    if (open.writer.failure !== undefined) return open.writer.failure;
    const tooLarge = records.find(({ length }) => length > maxRecordBytes);
    if (tooLarge !== undefined) {
      const values = { directory, bytes: tooLarge.length, limit: maxRecordBytes };
      return agentErrors.create("SPOOL_RECORD_TOO_LARGE", values);
    }
    if (usedBytes() + bytes > maxBytes)
      return agentErrors.create("SPOOL_FULL", { directory, limit: maxBytes });
    if (pendingBytes() > 0 && pendingBytes() + bytes > memoryBytes)
      return agentErrors.create("SPOOL_BUSY", { directory, limit: memoryBytes });
    return undefined;
  }

  function appendThen(given: Uint8Array | readonly Uint8Array[], done: Appended): void {
    const records = given instanceof Uint8Array ? [given] : given;
    let bytes = 0;
    for (const { length } of records) bytes += recordHeaderBytes + length;
    const error = refusal(records, bytes);
    if (error !== undefined) {
      counters.recordsRejected += records.length;
      done(error, 0);
      return;
    }
    open?.writer.append(records, done);
    room.update();
  }

  function onChange(): void {
    room.update();
    wake?.();
  }

  async function start(): Promise<void> {
    stopping = undefined;
    const lock = await prepare();
    try {
      await recover(lock);
    } catch (cause) {
      lock.release();
      throw agentErrors.create("SPOOL_UNUSABLE", { directory, reason: reasonOf(cause) }, { cause });
    }
    state = "running";
    room.update();
  }

  async function prepare(): Promise<SpoolLock> {
    try {
      await disk.mkdir(directory, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw agentErrors.create("SPOOL_UNUSABLE", { directory, reason: reasonOf(cause) }, { cause });
    }
    return lockSpool(directory, join(directory, "lock"));
  }

  async function recover(lock: SpoolLock): Promise<void> {
    const recovered = await recoverSegments({ directory, disk, counters, log });
    await syncDirectory(disk, directory);
    segments.splice(0, segments.length, ...recovered.segments);
    bytesAtStart = segments.reduce((sum, { size }) => sum + size, 0) - counters.bytesIn;
    bytesRemoved = 0;
    for (const { first, madeAtMs } of segments) ages.mark(first, madeAtMs);
    const settlements = new Settlements({
      disk,
      counters,
      log,
      segments,
      onRemoved(segment) {
        bytesRemoved += segment.size;
        room.update();
        void reader.release(segment);
      },
    });
    const reader = new Reader({
      directory,
      disk,
      chunks,
      counters,
      log,
      segments,
      onDamage: () => settlements.schedule(),
    });
    const writer = new Writer({
      directory,
      segmentBytes,
      chunkBytes: Math.min(256 * 1024, Math.ceil(memoryBytes / 8)),
      disk,
      chunks,
      counters,
      log,
      next: recovered.next,
      now,
      probePath: join(directory, "probe"),
      onSegment(segment) {
        segments.push(segment);
        settlements.keepsNewest = true;
        settlements.schedule();
      },
      onNextNoted() {
        settlements.keepsNewest = false;
        settlements.schedule();
      },
      onGroup: (from) => ages.mark(from),
      onChange,
    });
    open = { lock, writer, reader, settlements };
    settlements.schedule();
  }

  /** Resolves when something happened that a reader may wait for. */
  function something(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        signal?.removeEventListener("abort", settle);
        wake = undefined;
        resolve();
      };
      signal?.addEventListener("abort", settle);
      wake = settle;
    });
  }

  async function readSome(limits: ReadLimits, signal: AbortSignal | undefined): Promise<SpoolRecord[]> {
    const isOver = (): boolean => state !== "running" || signal?.aborted === true;
    while (open !== undefined && !isOver()) {
      const records = await open.reader.read(limits);
      if (records.length > 0) return records;
      if (!isOver() && open.reader.isAtEnd()) await something(signal);
    }
    return [];
  }

  async function read(limits: ReadLimits = {}, signal?: AbortSignal): Promise<readonly SpoolRecord[]> {
    if (reading !== undefined) throw new Error("one read at a time");
    reading = readSome(limits, signal);
    try {
      return await reading;
    } finally {
      reading = undefined;
    }
  }

  async function stop(deadlineMs: number): Promise<void> {
    state = "stopped";
    wake?.();
    if (open === undefined) return;
    const { lock, writer, reader, settlements } = open;
    open = undefined;
    const closing = (async () => {
      await writer.settled();
      await writer.close();
      await reading?.catch(() => {});
      await settlements.close();
      await reader.close();
      chunks.clear();
      lock.release();
    })();
    // A disk that hangs keeps the lock for as long as it may still write.
    if (!(await within(deadlineMs, closing)))
      writer.abandon(agentErrors.create("SPOOL_STOPPED", { directory }));
  }

  return {
    name: `spool ${directory}`,
    start,
    stop: (deadlineMs) => {
      stopping ??= stop(deadlineMs);
      return stopping;
    },
    append: (records) =>
      new Promise((resolve, reject) => {
        appendThen(records, (error, position) => (error === undefined ? resolve(position) : reject(error)));
      }),
    appendThen,
    read,
    rewind() {
      open?.reader.rewind();
      wake?.();
    },
    settle: (positions) => open?.settlements.settle(positions),
    get isFull() {
      return room.isFull;
    },
    get end() {
      return open?.writer.end ?? 0;
    },
    get obstacle() {
      if (open?.writer.failure !== undefined) return open.writer.failure;
      return room.isFull && usedBytes() > lowBytes
        ? agentErrors.create("SPOOL_FULL", { directory, limit: maxBytes })
        : undefined;
    },
    onRoom: room.onRoom,
    counters,
    gauges() {
      const oldest = segments.find(({ isSettled }) => !isSettled);
      return {
        records: segments.reduce((sum, { count, settledCount }) => sum + count - settledCount, 0),
        bytes: bytesOnDisk(),
        pendingBytes: pendingBytes(),
        memoryBytes: chunks.bytes + (open?.reader.bytes ?? 0),
        oldestAgeMs: oldest === undefined ? 0 : ages.ageMs(oldest.first + oldest.lowest()),
        segments: segments.length,
      };
    },
  };
}

/** Whether the work ended in time. */
async function within(deadlineMs: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), deadlineMs);
  });
  try {
    return await Promise.race([work.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
