/**
 * Text messages as the bytes of one WebSocket frame (RFC 6455, 5.2), made once and written to as many sockets as want
 * them. A Buffer, or a string of which every character is one byte: small, and gone as soon as it is written.
 */
export type Frame = Buffer | string;

const finalText = 0x81;

/** For what many sockets share. */
export function encodeFrame(text: string): Buffer {
  const bytes = Buffer.byteLength(text);
  const head = frameHead(bytes);
  const frame = Buffer.allocUnsafe(head.length + bytes);
  frame.write(head, 0, "latin1");
  frame.write(text, head.length, "utf8");
  return frame;
}

/** For what one socket gets; `text` is ASCII. */
export function encodeAsciiFrame(text: string): string {
  return frameHead(text.length) + text;
}

/** The message in a frame. */
export function frameMessage(frame: Buffer): Buffer {
  const [, length = 0] = frame;
  return frame.subarray(length < 126 ? 2 : length === 126 ? 4 : 10);
}

const escapeCharacter = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** JSON in ASCII. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\0-\x7f]/g, escapeCharacter);
}

function frameHead(bytes: number): string {
  if (bytes < 126) return String.fromCharCode(finalText, bytes);
  if (bytes < 0x1_0000) return String.fromCharCode(finalText, 126, bytes >>> 8, bytes & 0xff);
  const high = Math.floor(bytes / 0x1_0000_0000);
  const words = [high, bytes >>> 0].flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 0xff));
  return String.fromCharCode(finalText, 127, ...words);
}
