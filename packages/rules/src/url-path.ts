import { decodeUtf8, encodeUtf8 } from "./bytes.ts";

/** Go's rules for the path of a URL: which bytes may stand in it, how it is decoded and encoded. */

const keptWhenEncoding = /^[A-Za-z0-9\-_.~$&+,/:;=@]$/;
const allowedRaw = /^[A-Za-z0-9\-_.~$&+,/:;=@!'()*[\]%]*$/;

/** Position of the first `%` that is not followed by two hexadecimal digits, or -1. */
export function findBadEscape(text: string): number {
  return text.search(/%(?![0-9A-Fa-f]{2})/);
}

/** Position of the first control character, or -1. */
export function findControl(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  return text.search(/[\x00-\x1f\x7f]/);
}

/** Tells whether a path can travel as it is. */
export function isEncodedPath(path: string): boolean {
  return allowedRaw.test(path);
}

/** `%XX` into bytes, the rest as it is. */
export function decodePath(path: string): string {
  if (!path.includes("%")) return path;
  const bytes: number[] = [];
  for (const part of path.split(/(%[0-9A-Fa-f]{2})/)) {
    if (part.startsWith("%") && part.length === 3) bytes.push(Number.parseInt(part.slice(1), 16));
    else bytes.push(...encodeUtf8(part));
  }
  return decodeUtf8(bytes);
}

/** Encodes a decoded path, with upper-case escapes. */
export function encodePath(path: string): string {
  let text = "";
  for (const byte of encodeUtf8(path)) {
    const character = String.fromCharCode(byte);
    text += byte < 0x80 && keptWhenEncoding.test(character) ? character : escapeByte(byte).toUpperCase();
  }
  return text;
}

/** `%xx` in lower case. */
export function escapeByte(byte: number): string {
  return `%${byte.toString(16).padStart(2, "0")}`;
}
