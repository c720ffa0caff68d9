/**
 * The first 4 bytes of MD5, which is all that a rollout takes. Our own, because evaluation is made of it: the library
 * at hand needs 2.3 µs for a key, most of them for its objects; this needs none.
 */

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const sines: Int32Array = Int32Array.from({ length: 64 }, (_, step) =>
  Math.floor(Math.abs(Math.sin(step + 1)) * 2 ** 32),
);
const words: Int32Array = new Int32Array(16);
const state: Int32Array = new Int32Array(4);
let bytes: Uint8Array = new Uint8Array(256);
const encoder: TextEncoder = new TextEncoder();

/** The first 4 bytes of the MD5 of a text's UTF-8, as a little-endian signed integer. */
export function md5Start(text: string): number {
  const length = encode(text);
  state.set([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476]);
  const end = ((length + 8) & ~63) + 64;
  for (let at = 0; at < end; at += 64) {
    readBlock(at, length);
    if (at + 64 === end) {
      words[14] = length << 3;
      words[15] = length >>> 29;
    }
    mixBlock();
  }
  return state[0] as number;
}

/** Writes UTF-8 into `bytes`; gives its length. */
function encode(text: string): number {
  if (bytes.length < text.length * 3) bytes = new Uint8Array(text.length * 4);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0x7f) return encoder.encodeInto(text, bytes).written;
    bytes[at] = unit;
  }
  return text.length;
}

/** The text from `start` on, then 0x80, then zeros. */
function readBlock(start: number, length: number): void {
  for (let word = 0; word < 16; word++) {
    const at = start + word * 4;
    words[word] =
      at + 4 <= length
        ? byteAt(at) | (byteAt(at + 1) << 8) | (byteAt(at + 2) << 16) | (byteAt(at + 3) << 24)
        : padded(at, length) |
          (padded(at + 1, length) << 8) |
          (padded(at + 2, length) << 16) |
          (padded(at + 3, length) << 24);
  }
}

function byteAt(at: number): number {
  return bytes[at] as number;
}

function padded(at: number, length: number): number {
  return at < length ? byteAt(at) : at === length ? 0x80 : 0;
}

/** RFC 1321, 3.4. */
function mixBlock(): void {
  let a = state[0] as number;
  let b = state[1] as number;
  let c = state[2] as number;
  let d = state[3] as number;
  for (let step = 0; step < 64; step++) {
    const round = step >> 4;
    let mixed: number;
    let word: number;
    if (round === 0) {
      mixed = (b & c) | (~b & d);
      word = step;
    } else if (round === 1) {
      mixed = (d & b) | (~d & c);
      word = (5 * step + 1) & 15;
    } else if (round === 2) {
      mixed = b ^ c ^ d;
      word = (3 * step + 5) & 15;
    } else {
      mixed = c ^ (b | ~d);
      word = (7 * step) & 15;
    }
    const sum = (a + mixed + (sines[step] as number) + (words[word] as number)) | 0;
    const shift = shifts[round * 4 + (step & 3)] as number;
    a = d;
    d = c;
    c = b;
    b = (b + ((sum << shift) | (sum >>> (32 - shift)))) | 0;
  }
  state[0] = ((state[0] as number) + a) | 0;
  state[1] = ((state[1] as number) + b) | 0;
  state[2] = ((state[2] as number) + c) | 0;
  state[3] = ((state[3] as number) + d) | 0;
}
