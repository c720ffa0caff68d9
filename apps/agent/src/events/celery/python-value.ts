/** A value that a Python literal can have. An int is a number while that is exact, else a bigint. */
export type PythonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PythonFloat
  | PythonComplex
  | PythonBytes
  | PythonItems
  | PythonDict
  | PythonEllipsis;

export interface PythonFloat {
  readonly kind: "float";
  readonly value: number;
}
export interface PythonComplex {
  readonly kind: "complex";
  readonly real: number;
  readonly imaginary: number;
}
export interface PythonBytes {
  readonly kind: "bytes";
  readonly value: Uint8Array;
}
export interface PythonItems {
  readonly kind: "list" | "tuple" | "set";
  readonly items: readonly PythonValue[];
}
export interface PythonDict {
  readonly kind: "dict";
  readonly entries: readonly (readonly [PythonValue, PythonValue])[];
}
export interface PythonEllipsis {
  readonly kind: "ellipsis";
}

/**
 * By this text are two dict keys or set members one, as in Python, where 1, 1.0 and True are equal. Undefined for what
 * has no hash: lists, dicts, sets.
 */
export function hashKey(value: PythonValue): string | undefined {
  switch (typeof value) {
    case "string":
      return `s${value}`;
    case "boolean":
      return value ? "n1" : "n0";
    case "number":
    case "bigint":
      return `n${value}`;
  }
  if (value === null) return "None";
  switch (value.kind) {
    case "float":
      return Number.isInteger(value.value) ? `n${BigInt(value.value)}` : `n${value.value}`;
    case "complex":
      return value.imaginary === 0
        ? hashKey({ kind: "float", value: value.real })
        : `c${value.real + 0},${value.imaginary}`;
    case "bytes":
      return `b${value.value}`;
    case "ellipsis":
      return "...";
    case "tuple": {
      const keys = value.items.map(hashKey);
      if (keys.includes(undefined)) return undefined;
      return `t${keys.map((key) => `${key?.length}:${key}`).join("")}`;
    }
    default:
      return undefined;
  }
}
