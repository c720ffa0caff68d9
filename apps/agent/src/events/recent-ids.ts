/**
 * The ids that were seen lately: at least the last `size` of them, at most twice as many. Two sets, of which the older
 * one goes when the newer one is full; an id that is seen again stays.
 */
export class RecentIds {
  readonly #size: number;
  #newer = new Set<string>();
  #older = new Set<string>();

  constructor(size: number) {
    this.#size = size;
  }

  /** Notes an id. True: it was seen before. */
  see(id: string): boolean {
    const isKnown = this.#newer.has(id) || this.#older.has(id);
    this.#newer.add(id);
    if (this.#newer.size >= this.#size) {
      this.#older = this.#newer;
      this.#newer = new Set();
    }
    return isKnown;
  }
}
