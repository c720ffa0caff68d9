/** A queue of payloads that knows its bytes and when each arrived. */
export class ByteQueue {
  #items: { readonly payload: Buffer; readonly atMs: number }[] = [];
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

  get first(): Buffer | undefined {
    return this.#items[this.#head]?.payload;
  }

  push(payload: Buffer, atMs: number = 0): void {
    this.#items.push({ payload, atMs });
    this.#bytes += cost(payload);
  }

  shift(): Buffer | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head++;
    this.#bytes -= cost(item.payload);
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item.payload;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }
}

const itemBytes = 160;

export function cost(payload: Buffer): number {
  return payload.length + itemBytes;
}
