import { readPythonNumber } from "./python-number.ts";
import { readPythonString } from "./python-string.ts";
import {
  hashKey,
  type PythonBytes,
  type PythonDict,
  type PythonItems,
  type PythonValue,
} from "./python-value.ts";

/** As deep as Python itself reads brackets. */
const deepest = 200;
const ellipsis: PythonValue = { kind: "ellipsis" };

/**
 * Parses what `ast.literal_eval` takes: strings, bytes, numbers, tuples, lists, dicts, sets, True, False, None and `...`.
 * Undefined for everything else, such as a text that was cut off. Comments and `\N{…}` are not understood. Never throws.
 */
export function parsePythonLiteral(text: string): PythonValue | undefined {
  if (!text.isWellFormed() || text.includes("\0")) return undefined;
  return new LiteralParser(text).whole();
}

/** Every method gives undefined when the text is no literal. */
class LiteralParser {
  readonly #text: string;
  /** Most texts have neither backslash nor line end: there a string ends at its next quote. */
  readonly #isPlain: boolean;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#isPlain = !/[\\\n\r]/.test(text);
  }

  whole(): PythonValue | undefined {
    this.#skip(blank);
    const first = this.#value();
    if (first === undefined) return undefined;
    this.#skip(space);
    if (this.#at === this.#text.length) return first;
    // A tuple without its brackets.
    const items = [first];
    while (this.#take(comma)) {
      this.#skip(space);
      if (this.#at === this.#text.length) break;
      const item = this.#value();
      if (item === undefined) return undefined;
      items.push(item);
      this.#skip(space);
    }
    return this.#at === this.#text.length ? { kind: "tuple", items } : undefined;
  }

  #value(): PythonValue | undefined {
    const text = this.#text;
    const start = text.charCodeAt(this.#at);
    switch (start) {
      case 0x28: // (
      case 0x5b: // [
      case 0x7b: // {
        return this.#bracket(start);
      case 0x54: // T
        return this.#word("True", true);
      case 0x46: // F
        return this.#word("False", false);
      case 0x4e: // N
        return this.#word("None", null);
      case 0x2e: // .
        if (text.startsWith("...", this.#at)) return this.#word("...", ellipsis);
        break;
      case 0x22:
      case 0x27: // quotes
        return this.#strings();
      case 0x73: // s
        return this.#word("set()", { kind: "set", items: [] });
    }
    const digits = this.#fewDigits();
    if (digits !== undefined) return digits;
    const number = readPythonNumber(text, this.#at);
    if (number !== undefined) {
      this.#at = number.end;
      return number.value;
    }
    return this.#strings();
  }

  /** A small int, which most numbers are. */
  #fewDigits(): number | undefined {
    const text = this.#text;
    let at = this.#at;
    let value = 0;
    let code = text.charCodeAt(at);
    while (code >= 0x30 && code <= 0x39) {
      value = value * 10 + code - 0x30;
      code = text.charCodeAt(++at);
    }
    const digits = at - this.#at;
    const isEnd = code === comma || code === 0x29 || code === 0x5d || code === 0x7d || code === 0x3a;
    if (!isEnd || digits === 0 || digits > 15 || (digits > 1 && text.charCodeAt(this.#at) === 0x30))
      return undefined;
    this.#at = at;
    return value;
  }

  #word(word: string, value: PythonValue): PythonValue | undefined {
    if (!this.#text.startsWith(word, this.#at)) return undefined;
    this.#at += word.length;
    return value;
  }

  /** Strings that stand one after the other are one, and so are bytes. */
  #strings(): string | PythonBytes | undefined {
    const first = this.#string();
    if (first === undefined) return undefined;
    const texts: string[] = [];
    const bytes: Uint8Array[] = [];
    for (let next: string | PythonBytes | undefined = first; next !== undefined; next = this.#string()) {
      if (typeof next === "string") texts.push(next);
      else bytes.push(next.value);
      this.#skip(this.#depth > 0 ? space : blank);
      const code = this.#text.charCodeAt(this.#at);
      if (code === comma || code === 0x29 || code === 0x5d || Number.isNaN(code)) break;
    }
    if (texts.length > 0 && bytes.length > 0) return undefined;
    if (texts.length + bytes.length === 1) return first;
    return typeof first === "string" ? texts.join("") : { kind: "bytes", value: Buffer.concat(bytes) };
  }

  #string(): string | PythonBytes | undefined {
    const quote = this.#text[this.#at];
    if (this.#isPlain && (quote === "'" || quote === '"')) {
      const end = this.#text.indexOf(quote, this.#at + 1);
      const start = this.#at + 1;
      // No empty string, which may be the beginning of a string in three quotes.
      if (end > start) {
        this.#at = end + 1;
        return this.#text.slice(start, end);
      }
    }
    const read = readPythonString(this.#text, this.#at);
    if (read === undefined) return undefined;
    this.#at = read.end;
    return read.value;
  }

  #bracket(open: number): PythonValue | undefined {
    if (this.#depth === deepest) return undefined;
    this.#at++;
    this.#depth++;
    this.#skip(space);
    const value =
      open === 0x28 ? this.#items("tuple", 0x29) : open === 0x5b ? this.#items("list", 0x5d) : this.#dict();
    this.#depth--;
    return value;
  }

  #items(kind: "tuple" | "list", close: number): PythonValue | undefined {
    const items: PythonValue[] = [];
    while (!this.#take(close)) {
      const item = this.#value();
      if (item === undefined) return undefined;
      items.push(item);
      this.#skip(space);
      if (this.#take(close)) return kind === "tuple" && items.length === 1 ? item : { kind, items };
      if (!this.#take(comma)) return undefined;
      this.#skip(space);
    }
    return { kind, items };
  }

  #dict(): PythonDict | PythonItems | undefined {
    const entries = new Map<string, readonly [PythonValue, PythonValue]>();
    let isSet = false;
    while (!this.#take(0x7d)) {
      const key = this.#value();
      const hash = key === undefined ? undefined : hashKey(key);
      if (key === undefined || hash === undefined) return undefined;
      this.#skip(space);
      const hasValue = this.#take(0x3a);
      if (entries.size === 0) isSet = !hasValue;
      else if (isSet === hasValue) return undefined;
      let value: PythonValue | undefined = null;
      if (hasValue) {
        this.#skip(space);
        value = this.#value();
        if (value === undefined) return undefined;
        this.#skip(space);
      }
      // The first key stays, with the last value.
      entries.set(hash, [entries.get(hash)?.[0] ?? key, value]);
      if (this.#take(0x7d)) break;
      if (!this.#take(comma)) return undefined;
      this.#skip(space);
    }
    if (isSet) return { kind: "set", items: [...entries.values()].map(([member]) => member) };
    return { kind: "dict", entries: [...entries.values()] };
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #skip(among: ReadonlySet<number>): void {
    let code = this.#text.charCodeAt(this.#at);
    while (code <= 0x20 && among.has(code)) code = this.#text.charCodeAt(++this.#at);
  }
}

const comma = 0x2c;
const blank: ReadonlySet<number> = new Set([0x20, 0x09]);
const space: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0c, 0x0d]);
