/**
 * Notes on disk what is settled, a moment after it was: a crash loses some of it, and those records are read again.
 * Removes segments in which all is settled, except the newest: its name says which position is next, unless that is noted
 * elsewhere.
 */
import { constants } from "node:fs";
import type { Log } from "@posthouse/service";
import type { SpoolCounters } from "./counters.ts";
import { type Disk, unlinkIfThere, writeAll } from "./disk.ts";
import { setAside } from "./recovery.ts";
import type { Segment } from "./segment.ts";

export interface SettlementsOptions {
  readonly disk: Disk;
  readonly counters: SpoolCounters;
  readonly log: Log;
  /** Segments that are settled are taken out of it. */
  readonly segments: Segment[];
  readonly onRemoved: (segment: Segment) => void;
}

const flushMs = 100;
const retryMs = 1000;

export class Settlements {
  readonly #options: SettlementsOptions;
  #timer: NodeJS.Timeout | undefined;
  #flushing: Promise<void> = Promise.resolve();
  #isFailing = false;
  #isClosed = false;
  /** Removed from the list, but not from the disk yet. */
  #leaving: Segment[] = [];
  #last: Segment | undefined;
  /** Whether the newest has to stay. */
  keepsNewest = true;

  constructor(options: SettlementsOptions) {
    this.#options = options;
  }

  settle(positions: Iterable<number>): void {
    const { counters } = this.#options;
    for (const position of positions) {
      const segment = this.#segmentOf(position);
      if (segment?.settle(position - segment.first) === true) counters.recordsSettled++;
    }
    this.schedule();
  }

  /** Lets settled segments go, and notes the rest soon. */
  schedule(): void {
    const { segments } = this.#options;
    for (let at = segments.length - (this.keepsNewest ? 2 : 1); at >= 0; at--) {
      const segment = segments[at];
      if (segment?.isSettled !== true) continue;
      segments.splice(at, 1);
      segment.isRemoved = true;
      this.#leaving.push(segment);
    }
    if (this.#leaving.length > 0 || segments.some(({ hasUnsaved }) => hasUnsaved)) this.#flushAfter(flushMs);
  }

  /** Writes all that is to be noted now. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flushing = this.#flushing.then(() => this.#writeAll());
    return this.#flushing;
  }

  /** The last notes, and no more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.flush();
  }

  #flushAfter(ms: number): void {
    if (!this.#isClosed) this.#timer ??= setTimeout(() => void this.flush(), ms).unref();
  }

  async #writeAll(): Promise<void> {
    try {
      for (let segment = this.#leaving[0]; segment !== undefined; segment = this.#leaving[0]) {
        await this.#remove(segment);
        this.#leaving.shift();
        this.#options.onRemoved(segment);
      }
      for (const segment of this.#options.segments.filter(({ hasUnsaved }) => hasUnsaved))
        await this.#note(segment);
      this.#isFailing = false;
    } catch (error) {
      this.#options.counters.settleErrors++;
      if (!this.#isFailing)
        this.#options.log.warn({ error }, "the spool cannot note what is settled; it is tried again");
      this.#isFailing = true;
      this.#flushAfter(retryMs);
    }
  }

  /** First the records, then what says that they are settled. */
  async #remove(segment: Segment): Promise<void> {
    const { disk, log } = this.#options;
    if (segment.isDamaged) await setAside({ disk, log }, segment.path, "what could be read of it was");
    else await unlinkIfThere(disk, segment.path);
    await unlinkIfThere(disk, segment.settledPath);
  }

  async #note(segment: Segment): Promise<void> {
    const { bytes, ranges } = segment.takeUnsaved();
    try {
      const flags = constants.O_RDWR | constants.O_CREAT;
      const handle = await this.#options.disk.open(segment.settledPath, flags, 0o600);
      try {
        await writeAll(handle, [bytes], segment.settledSize);
      } finally {
        await handle.close();
      }
      segment.settledSize += bytes.length;
    } catch (error) {
      segment.keepUnsaved(ranges);
      throw error;
    }
  }

  #segmentOf(position: number): Segment | undefined {
    const last = this.#last;
    if (last !== undefined && !last.isRemoved && position >= last.first && position < last.end) return last;
    this.#last = this.#options.segments.find(({ first, end }) => position >= first && position < end);
    return this.#last;
  }
}
