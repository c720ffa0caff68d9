/** WebSocket frames (RFC 6455), as far as a library keeps them to itself. */

const opcodes = { continuation: 0, close: 8 } as const;

/** The head of an unmasked text frame that is a whole message. */
export function frameHead(length: number): Buffer {
  if (length < 126) return Buffer.from([0x81, length]);
  const head = Buffer.alloc(length < 65_536 ? 4 : 10);
  head[0] = 0x81;
  head[1] = length < 65_536 ? 126 : 127;
  if (length < 65_536) head.writeUInt16BE(length, 2);
  else head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

const readBytes = 2048;

/**
 * Listens to what a client sends and counts how many reads of at most 2,048 bytes each message takes: FeatBit's server
 * reads within a frame, so that a message in small fragments takes more of them than its length tells.
 */
export class ReadCounter {
  readonly #counts: number[] = [];
  #head: Buffer = Buffer.alloc(0);
  #bodyLeft = 0;
  #reads = 0;

  take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const body = Math.min(this.#bodyLeft, chunk.length - at);
      this.#bodyLeft -= body;
      at += body;
      if (at === chunk.length) return;
      this.#head = Buffer.concat([this.#head, chunk.subarray(at, at + 1)]);
      at++;
      this.#takeHead();
    }
  }

  #takeHead(): void {
    const [first = 0, second = 0] = this.#head;
    const short = second & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    const mask = second & 0x80 ? 4 : 0;
    if (this.#head.length < 2 || this.#head.length < 2 + extended + mask) return;
    const length =
      extended === 0
        ? short
        : extended === 2
          ? this.#head.readUInt16BE(2)
          : Number(this.#head.readBigUInt64BE(2));
    this.#head = Buffer.alloc(0);
    this.#bodyLeft = length;
    const opcode = first & 0x0f;
    if (opcode >= opcodes.close) return;
    if (opcode !== opcodes.continuation) this.#reads = 0;
    this.#reads += Math.max(1, Math.ceil(length / readBytes));
    if (first & 0x80) this.#counts.push(this.#reads);
  }

  /** How many reads the oldest message took that was not asked for yet. */
  next(): number {
    return this.#counts.shift() ?? 0;
  }
}
