/**
 * Requests are bytes, rules are text. A request's bytes become text as UTF-8; a byte that is no UTF-8 becomes the lone
 * surrogate U+DC00 + byte, which no rule can hold, and becomes the same byte again when it is written.
 */

/** Length of a text in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (isRawByte(unit) && !isHigh(text.charCodeAt(at - 1))) length += 0;
    else if (isHigh(unit) && isLow(text.charCodeAt(at + 1))) {
      length += 2;
      at += 1;
    } else length += 2;
  }
  return length;
}

/** The bytes of a text. */
export function encodeUtf8(text: string): number[] {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), trail(point));
    else if (isRawByte(point)) bytes.push(point - 0xdc00);
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), trail(point >> 6), trail(point));
    else bytes.push(0xf0 | (point >> 18), trail(point >> 12), trail(point >> 6), trail(point));
  }
  return bytes;
}

/** The text of bytes. */
export function decodeUtf8(bytes: ArrayLike<number>): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const size = first < 0x80 ? 1 : sequenceSize(bytes, at);
    if (size === 0) {
      text += String.fromCharCode(0xdc00 + first);
      at += 1;
      continue;
    }
    let point = size === 1 ? first : first & (0xff >> (size + 1));
    for (let next = 1; next < size; next++) point = (point << 6) | ((bytes[at + next] ?? 0) & 0x3f);
    text += String.fromCodePoint(point);
    at += size;
  }
  return text;
}

/** Text whose characters are bytes (as `node:http` gives a request line) into text. */
export function decodeByteString(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is meant.
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  const bytes = new Array<number>(text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit > 0xff) return text;
    bytes[at] = unit;
  }
  return decodeUtf8(bytes);
}

function sequenceSize(bytes: ArrayLike<number>, at: number): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  const size =
    first >= 0xc2 && first < 0xe0
      ? 2
      : first >= 0xe0 && first < 0xf0
        ? 3
        : first >= 0xf0 && first < 0xf5
          ? 4
          : 0;
  if (size === 0) return 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  for (let next = 1; next < size; next++) if (((bytes[at + next] ?? 0) & 0xc0) !== 0x80) return 0;
  return size;
}

const trail = (point: number): number => 0x80 | (point & 0x3f);
const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;
const isRawByte = (unit: number): boolean => unit >= 0xdc80 && unit <= 0xdcff;
