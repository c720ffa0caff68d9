const resolutionMs = 1000;
const mostMarks = 4096;

/** When records were appended, to the second: a mark where at least that much time has passed since the last. */
export class Ages {
  readonly #now: () => number;
  #marks: { readonly position: number; readonly atMs: number }[] = [];

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A record at this position is appended, or was at `atMs`. Positions ascend. */
  mark(position: number, atMs: number = this.#now()): void {
    const last = this.#marks.at(-1);
    if (last !== undefined && atMs - last.atMs < resolutionMs) return;
    this.#marks.push({ position, atMs });
    if (this.#marks.length > mostMarks) this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
  }

  /** How long ago the record at this position was appended; those before it are forgotten. */
  ageMs(position: number): number {
    const later = this.#marks.findIndex((mark) => mark.position > position);
    this.#marks.splice(0, (later < 0 ? this.#marks.length : later) - 1);
    return Math.max(0, this.#now() - (this.#marks[0]?.atMs ?? this.#now()));
  }
}
