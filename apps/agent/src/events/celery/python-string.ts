import type { PythonBytes } from "./python-value.ts";

const prefix = /(?:[uU]|[rR]?[bB]?|[bB][rR])('''|"""|'|")/y;
const simple: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const octal = /[0-7]{1,3}/y;
const hexDigits: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Reads the one string or bytes literal that begins at `at`; undefined when none does or it does not end. */
export function readPythonString(
  text: string,
  at: number,
): { value: string | PythonBytes; end: number } | undefined {
  prefix.lastIndex = at;
  const match = prefix.exec(text);
  if (match === null) return undefined;
  const [start = "", quote = ""] = match;
  const letters = start.slice(0, -quote.length).toLowerCase();
  const isBytes = letters.includes("b");
  const body = at + start.length;
  const end = closing(text, body, quote);
  if (end === undefined) return undefined;
  let value: string | undefined = text.slice(body, end);
  if (value.includes("\\") && !letters.includes("r")) value = unescaped(value, isBytes);
  if (value === undefined) return undefined;
  if (!isBytes) return { value, end: end + quote.length };
  const bytes = Buffer.from(value, "latin1");
  // In the source a byte beyond ASCII is written as an escape.
  if (!/^[\0-\x7f]*$/.test(text.slice(body, end))) return undefined;
  return { value: { kind: "bytes", value: bytes }, end: end + quote.length };
}

/** Where the quote stands that closes; undefined when none does, or a line ends before it. */
function closing(text: string, from: number, quote: string): number | undefined {
  const first = quote.charCodeAt(0);
  for (let at = from; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === first && (quote.length === 1 || text.startsWith(quote, at))) return at;
    else if (quote.length === 1 && (code === 0x0a || code === 0x0d)) return undefined;
  }
  return undefined;
}

function unescaped(body: string, isBytes: boolean): string | undefined {
  let out = "";
  let at = 0;
  for (;;) {
    const backslash = body.indexOf("\\", at);
    if (backslash === -1) return out + body.slice(at);
    out += body.slice(at, backslash);
    const letter = body[backslash + 1] ?? "";
    const plain = simple[letter];
    const digits = letter === "x" || !isBytes ? hexDigits[letter] : undefined;
    octal.lastIndex = backslash + 1;
    const octals = octal.exec(body)?.[0];
    at = backslash + 2;
    if (plain !== undefined) out += plain;
    else if (octals !== undefined) {
      at = backslash + 1 + octals.length;
      const code = Number.parseInt(octals, 8);
      out += String.fromCharCode(isBytes ? code & 0xff : code);
    } else if (digits !== undefined) {
      const hex = body.slice(at, at + digits);
      if (hex.length < digits || !/^[\da-f]+$/i.test(hex)) return undefined;
      const code = Number.parseInt(hex, 16);
      if (code > 0x10ffff) return undefined;
      out += String.fromCodePoint(code);
      at += digits;
    } else if (letter === "N" && !isBytes) return undefined;
    else out += `\\${letter}`;
  }
}
