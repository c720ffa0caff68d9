/** A queue of values that knows their bytes and when each arrived. */
export class ByteQueue<Value> {
  #items: { readonly value: Value; readonly cost: number; readonly atMs: number }[] = [];
  #head = 0;
  #bytes = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** With what the program needs to keep each of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the oldest arrived. */
  get oldestMs(): number | undefined {
    return this.#items[this.#head]?.atMs;
  }

  get first(): Value | undefined {
    return this.#items[this.#head]?.value;
  }

  push(value: Value, bytes: number, atMs: number = 0): void {
    const cost = costOf(bytes);
    this.#items.push({ value, cost, atMs });
    this.#bytes += cost;
  }

  shift(): Value | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    this.#bytes -= item.cost;
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item.value;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

const itemBytes = 160;

/** What a value of so many bytes needs. */
export function costOf(bytes: number): number {
  return bytes + itemBytes;
}
