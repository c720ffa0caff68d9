/**
 * The ids that were seen lately: at least the last `size` of them, at most twice as many. Two sets, of which the older
 * one goes when the newer one is full; an id that is seen again stays.
 */
export class RecentIds {
  readonly #size: number;
  #newer = new IdSet();
  #older = new IdSet();

  constructor(size: number) {
    this.#size = size;
  }

  /** Notes an id, whose first 15 characters are base64url and as good as random. True: it was seen before. */
  see(id: string): boolean {
    const a = bitsOf(id, 0);
    const b = bitsOf(id, 5);
    const c = bitsOf(id, 10);
    const isKnown = !this.#newer.add(a, b, c) || this.#older.has(a, b, c);
    if (this.#newer.count >= this.#size) {
      this.#older = this.#newer;
      this.#newer = new IdSet();
    }
    return isKnown;
  }
}

const slotWords = 3;
const fewestSlots = 1024;
/** Of a word: none of an id's is as large. */
const isTaken = 1 << 30;

/** Ids as 90 bits each, in a table that grows: strings in a Set take five times the memory, and the collector's time. */
class IdSet {
  count = 0;
  #slots = fewestSlots;
  #words = new Int32Array(fewestSlots * slotWords);

  has(a: number, b: number, c: number): boolean {
    return this.#words[this.#find(a, b, c)] !== 0;
  }

  /** False: it was there. */
  add(a: number, b: number, c: number): boolean {
    const at = this.#find(a, b, c);
    if (this.#words[at] !== 0) return false;
    this.#put(at, a, b, c);
    if (++this.count * 2 > this.#slots) this.#grow();
    return true;
  }

  /** Where it stands, or would. */
  #find(a: number, b: number, c: number): number {
    const words = this.#words;
    const last = this.#slots - 1;
    for (let slot = a & last; ; slot = (slot + 1) & last) {
      const at = slot * slotWords;
      const first = words[at];
      if (first === 0 || (first === (a | isTaken) && words[at + 1] === b && words[at + 2] === c)) return at;
    }
  }

  #put(at: number, a: number, b: number, c: number): void {
    this.#words[at] = a | isTaken;
    this.#words[at + 1] = b;
    this.#words[at + 2] = c;
  }

  #grow(): void {
    const before = this.#words;
    this.#slots *= 2;
    this.#words = new Int32Array(this.#slots * slotWords);
    for (let at = 0; at < before.length; at += slotWords) {
      const [first = 0, b = 0, c = 0] = [before[at], before[at + 1], before[at + 2]];
      if (first !== 0) this.#put(this.#find(first ^ isTaken, b, c), first ^ isTaken, b, c);
    }
  }
}

/** Five characters of base64url as a number of 30 bits. */
function bitsOf(id: string, from: number): number {
  let bits = 0;
  for (let at = from; at < from + 5; at++) bits = (bits << 6) | (sextets[id.charCodeAt(at)] ?? 0);
  return bits;
}

const sextets = new Uint8Array(128);
for (const [value, character] of [
  ..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
].entries())
  sextets[character.charCodeAt(0)] = value;
