import type { PythonValue } from "./python-value.ts";

const number =
  /([+-]?)[ \t]*(?:(0x(?:_?[\da-f])+|0o(?:_?[0-7])+|0b(?:_?[01])+)|((?:\d(?:_?\d)*(?:\.(?:\d(?:_?\d)*)?)?|\.\d(?:_?\d)*)(?:e[+-]?\d(?:_?\d)*)?)(j?))/iy;
const after = /[\p{L}\p{N}_.]/u;
/** More digits than these Python does not read as an int, or not write. */
const longest = 4300;

/**
 * Reads the number that begins at `at`: int, float or complex, with one sign at most before each part. Undefined when
 * none does, or none that Python would take.
 */
export function readPythonNumber(text: string, at: number): { value: PythonValue; end: number } | undefined {
  const first = readPart(text, at);
  if (first === undefined) return undefined;
  const sign = /[ \t]*(?=[+-])/y;
  sign.lastIndex = first.end;
  const isReal = typeof first.value === "number" || typeof first.value === "bigint" || isFloat(first.value);
  if (isReal && sign.test(text)) {
    const second = readPart(text, sign.lastIndex);
    if (typeof second?.value !== "object" || second.value === null || second.value.kind !== "complex")
      return undefined;
    const real = isFloat(first.value) ? first.value.value : Number(first.value);
    return { value: { kind: "complex", real, imaginary: second.value.imaginary }, end: second.end };
  }
  return first;
}

function isFloat(value: PythonValue): value is Extract<PythonValue, { kind: "float" }> {
  return typeof value === "object" && value !== null && value.kind === "float";
}

function readPart(text: string, at: number): { value: PythonValue; end: number } | undefined {
  const code = text.charCodeAt(at);
  if (!((code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e)) return undefined;
  number.lastIndex = at;
  const match = number.exec(text);
  if (match === null) return undefined;
  const end = number.lastIndex;
  if (end < text.length && after.test(text[end] ?? "")) return undefined;
  const [, minus, based, decimal = "", imaginary] = match;
  const sign = minus === "-" ? -1 : 1;
  const digits = (based ?? decimal).replaceAll("_", "");
  if (imaginary) {
    return { value: { kind: "complex", real: sign === -1 ? -0 : 0, imaginary: Number(digits) * sign }, end };
  }
  if (based === undefined && /[.e]/i.test(digits)) {
    return { value: { kind: "float", value: Number(digits) * sign }, end };
  }
  if (digits.length > longest || (based === undefined && /^0+[1-9]/.test(digits))) return undefined;
  // -0 is 0.
  if (digits.length < 16) return { value: Number(digits) * sign + 0, end };
  const exact = BigInt(digits) * BigInt(sign);
  const size = Number(exact);
  return { value: Number.isSafeInteger(size) ? size : exact, end };
}
