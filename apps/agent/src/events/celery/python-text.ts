import type { PythonValue } from "./python-value.ts";

/** What Python's `str(value)` gives: a string as it is, all else as its `repr`. */
export function pythonStr(value: PythonValue): string {
  return typeof value === "string" ? value : pythonRepr(value);
}

export function pythonRepr(value: PythonValue): string {
  if (value === null) return "None";
  switch (typeof value) {
    case "string":
      return reprString(value);
    case "boolean":
      return value ? "True" : "False";
    case "number":
    case "bigint":
      return String(value);
  }
  switch (value.kind) {
    case "float":
      return reprFloat(value.value);
    case "complex":
      return reprComplex(value.real, value.imaginary);
    case "bytes":
      return reprBytes(value.value);
    case "ellipsis":
      return "Ellipsis";
    case "list":
      return `[${value.items.map(pythonRepr).join(", ")}]`;
    case "tuple":
      return `(${value.items.map(pythonRepr).join(", ")}${value.items.length === 1 ? "," : ""})`;
    case "set":
      return value.items.length === 0 ? "set()" : `{${value.items.map(pythonRepr).join(", ")}}`;
    case "dict":
      return `{${value.entries.map(([key, item]) => `${pythonRepr(key)}: ${pythonRepr(item)}`).join(", ")}}`;
  }
}

/** The shortest digits that read back as the same double; an exponent from 1e16 on and below 1e-4. */
function reprFloat(value: number): string {
  const text = bareFloat(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

function bareFloat(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? "inf" : value < 0 ? "-inf" : "nan";
  if (Object.is(value, -0)) return "-0";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = "", exponent = ""] = value.toExponential().split("e");
    return `${digits}e${exponent[0] ?? "+"}${exponent.slice(1).padStart(2, "0")}`;
  }
  return String(value);
}

function reprComplex(real: number, imaginary: number): string {
  if (Object.is(real, 0)) return `${bareFloat(imaginary)}j`;
  const text = bareFloat(imaginary);
  return `(${bareFloat(real)}${text.startsWith("-") ? "" : "+"}${text}j)`;
}

const named: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };
const unprintable = /[\\\n\r\t]|[\p{C}\p{Z}]/gu;
const plain = /^[ !#-&(-[\]-~]*$/;

function reprString(text: string): string {
  if (plain.test(text)) return `'${text}'`;
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(unprintable, (character) => {
    if (character === " ") return " ";
    const code = character.codePointAt(0) ?? 0;
    return named[character] ?? escapeCode(code);
  });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}

function escapeCode(code: number): string {
  const hex = code.toString(16);
  if (code <= 0xff) return `\\x${hex.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

function reprBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("latin1");
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is to be escaped
  const escaped = text.replace(/[\\\0-\x1f\x7f-\xff]/g, (character) => {
    return named[character] ?? escapeCode(character.charCodeAt(0));
  });
  return `b${quote}${quote === "'" ? escaped.replaceAll("'", "\\'") : escaped}${quote}`;
}
