import type { Segment } from "./segment.ts";

/** A stretch of a segment in memory: filled by appends, written by groups, read by the consumer. */
export interface Chunk {
  readonly segment: Segment;
  /** Where it stands in the segment's file. */
  readonly fileOffset: number;
  readonly bytes: Buffer;
  /** How much of it is filled. */
  filled: number;
  /** How much of it is on disk. */
  durable: number;
  /** The index after that of its last record. */
  endIndex: number;
}

/**
 * The chunks that were appended last, oldest first. What is not on disk yet always stays; of the rest as much as
 * `limitBytes` leaves room for.
 */
export class Chunks {
  readonly #limitBytes: number;
  #chunks: Chunk[] = [];
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Chunk): void {
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.length;
    this.trim();
  }

  /** Lets the oldest go while there are too many. */
  trim(): void {
    while (this.#bytes > this.#limitBytes && this.#mayGo(this.#chunks[0])) this.#shift();
  }

  /** Lets go of what is before this place: the consumer has it. */
  passed(segment: Segment, offset: number): void {
    for (;;) {
      const [chunk] = this.#chunks;
      if (!this.#mayGo(chunk)) return;
      const isBefore =
        chunk.segment === segment
          ? chunk.fileOffset + chunk.filled <= offset
          : chunk.segment.first < segment.first;
      if (!isBefore) return;
      this.#shift();
    }
  }

  /** The chunk on disk that holds this place of the segment's file. */
  find(segment: Segment, offset: number): Chunk | undefined {
    return this.#chunks.find(
      (chunk) =>
        chunk.segment === segment && offset >= chunk.fileOffset && offset < chunk.fileOffset + chunk.durable,
    );
  }

  /** Filled and not on disk, in order. */
  undurable(): Chunk[] {
    let from = this.#chunks.length;
    while (from > 0 && isUndurable(this.#chunks[from - 1])) from--;
    return this.#chunks.slice(from);
  }

  /** Forgets what is not on disk. */
  dropUndurable(): void {
    for (const chunk of this.#chunks) chunk.filled = chunk.durable;
    this.#chunks = this.#chunks.filter(({ durable }) => durable > 0);
    this.#bytes = this.#chunks.reduce((sum, { bytes }) => sum + bytes.length, 0);
  }

  clear(): void {
    this.#chunks = [];
    this.#bytes = 0;
  }

  #mayGo(chunk: Chunk | undefined): chunk is Chunk {
    return chunk !== undefined && chunk !== this.#chunks.at(-1) && !isUndurable(chunk);
  }

  #shift(): void {
    this.#bytes -= this.#chunks.shift()?.bytes.length ?? 0;
  }
}

const isUndurable = (chunk: Chunk | undefined): boolean =>
  chunk !== undefined && chunk.durable < chunk.filled;
