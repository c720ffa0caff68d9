import { parsePythonLiteral } from "./python-literal.ts";
import { pythonStr } from "./python-text.ts";
import type { PythonValue } from "./python-value.ts";
import { cutCharacters } from "./text-cut.ts";

const longestArgument = 256;
const longestString = 100;
const longestList = 100;
const deepestPath = 12;
/** Of four bytes each, a name and its value are still a term that the index takes. */
const longestName = 8000;
const mostNameCharacters = 256 * 1024;

/** The texts of a task's positional arguments, by what Celery sent as `args`: one per element, at most `most`. */
export function positionalArguments(args: string, most: number): string[] {
  if (args === "" || args === "()") return [];
  const parsed = parsePythonLiteral(args) ?? args;
  const isItems =
    typeof parsed === "object" && parsed !== null && (parsed.kind === "tuple" || parsed.kind === "list");
  const values = isItems ? parsed.items : [parsed];
  return values
    .slice(0, most)
    .map((value) => cutCharacters(pythonStr(value), longestArgument).toWellFormed());
}

/**
 * A task's keyword arguments, by what Celery sent as `kwargs`: nested ones under dotted names, strings cut to 100
 * characters, lists to 100 items. Empty when it is no dict, or was cut off. The names are bounded, each and together:
 * they repeat, so that a short text could make very many.
 */
export function flattenedArguments(kwargs: string): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  if (kwargs === "{}" || kwargs === "") return flat;
  const parsed = parseJsonObject(kwargs) ?? parsePythonLiteral(kwargs);
  if (typeof parsed !== "object" || parsed === null || parsed.kind !== "dict") return flat;
  let characters = 0;
  const leaves = flatten(parsed, "", 0);
  for (const [name, value] of leaves) {
    if (name.length > longestName) continue;
    characters += name.length;
    if (characters > mostNameCharacters) break;
    set(flat, name, value);
  }
  return flat;
}

function parseJsonObject(text: string): PythonValue | undefined {
  // What Python writes seldom begins like this, and an exception for each event is dear.
  if (!/^\s*\{\s*"/.test(text)) return undefined;
  try {
    return fromJson(JSON.parse(text), 0);
  } catch {
    return undefined;
  }
}

const deepestJson = 200;

function fromJson(value: unknown, depth: number): PythonValue | undefined {
  if (typeof value === "number") return { kind: "float", value };
  if (typeof value !== "object" || value === null) return value as string | boolean | null;
  if (depth === deepestJson) return undefined;
  if (Array.isArray(value)) {
    const items = value.map((item) => fromJson(item, depth + 1));
    return items.includes(undefined) ? undefined : { kind: "list", items: items as PythonValue[] };
  }
  const entries = Object.entries(value).map(([key, item]) => [key, fromJson(item, depth + 1)] as const);
  return entries.some(([, item]) => item === undefined)
    ? undefined
    : { kind: "dict", entries: entries as [string, PythonValue][] };
}

function* flatten(
  value: PythonValue,
  path: string,
  depth: number,
): Generator<[name: string, value: unknown]> {
  const children = childrenOf(value);
  if (children === undefined || (children.length === 0 && depth > 0)) yield [path, plainValue(value)];
  else if (depth === deepestPath) yield [path, jsonText(value)];
  else {
    for (const [key, child] of children)
      yield* flatten(child, depth === 0 ? key : `${path}.${key}`, depth + 1);
  }
}

function childrenOf(value: PythonValue): (readonly [string, PythonValue])[] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if ("items" in value) return value.items.slice(0, longestList).map((item, index) => [String(index), item]);
  if ("entries" in value) return value.entries.map(([key, item]) => [pythonStr(key).toWellFormed(), item]);
  return undefined;
}

function set(flat: Record<string, unknown>, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(flat, name, { value, enumerable: true, configurable: true, writable: true });
  } else flat[name] = value;
}

/** ES2025 has it; TypeScript does not know it yet. */
const rawJson = (JSON as unknown as { rawJSON(text: string): object }).rawJSON;

/** A value without parts as JSON has it; what is not finite is null there. */
function plainValue(value: PythonValue): unknown {
  if (typeof value === "string") return cutCharacters(value, longestString).toWellFormed();
  if (typeof value === "bigint") return rawJson(String(value));
  if (typeof value !== "object" || value === null) return value;
  switch (value.kind) {
    case "float":
      return value.value;
    case "bytes":
      return cutCharacters(new TextDecoder().decode(value.value), longestString);
    case "ellipsis":
      return "<ELLIPSIS>";
    case "complex":
      return pythonStr(value);
    case "dict":
      return "{}";
    default:
      return "[]";
  }
}

/** JSON as Python writes it by default: spaces after comma and colon, ASCII alone. */
function jsonText(value: PythonValue): string {
  const children = childrenOf(value);
  if (children === undefined) {
    const plain = plainValue(value);
    return typeof plain === "string" ? asciiJson(plain) : (JSON.stringify(plain) ?? "null");
  }
  const isDict = typeof value === "object" && value !== null && value.kind === "dict";
  const parts = children.map(([key, child]) =>
    isDict ? `${asciiJson(key)}: ${jsonText(child)}` : jsonText(child),
  );
  return isDict ? `{${parts.join(", ")}}` : `[${parts.join(", ")}]`;
}

function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
