import { createHash, hash } from "node:crypto";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { formatItem, hashNode, hashRoot, type Item } from "@posthouse/protocol";
import { columnsOf, summaryOf } from "../store/item-values.ts";
import type { ItemColumns } from "./schema.ts";

type Children = { index: number; hash: Uint8Array }[];

const sha256 = (data: string | Uint8Array): Uint8Array =>
  typeof data === "string"
    ? Buffer.from(hash("sha256", data, "hex"), "hex") // three times as fast as asking for a buffer
    : createHash("sha256").update(data).digest();

/**
 * Gives a connection the SQL functions of the Manager:
 * `sha256(text or blob)`; `item_line(id, kind, type, source, target, status, content, content_type)`, the canonical
 * line, and `item_hash(...)` of the same arguments; `item_column(line, name)`, the column of that name that a canonical
 * line holds; `item_summary(line)`, the line with the size of a page's content in its place; the
 * aggregates `hash_node(index, hash)` and `hash_root(index, hash)` of the hash tree, to be called with ORDER BY index.
 */
export function registerFunctions(database: DatabaseSync): void {
  const options = { deterministic: true };
  database.function("sha256", options, (data: SQLInputValue) => sha256(data as string | Uint8Array));
  database.function("item_line", { ...options, varargs: true }, (...values: SQLInputValue[]) => line(values));
  database.function("item_hash", { ...options, varargs: true }, (...values: SQLInputValue[]) =>
    sha256(line(values)),
  );
  database.function("item_column", options, createColumnReader());
  database.function("item_summary", options, summarise);
  for (const [name, combine] of [
    ["hash_node", hashNode],
    ["hash_root", hashRoot],
  ] as const) {
    database.aggregate(name, {
      start: () => [] as unknown as SQLInputValue,
      step: ((children: Children, index: number, itemHash: Uint8Array) => {
        children.push({ index, hash: itemHash });
        return children;
      }) as unknown as (accumulator: SQLInputValue, ...values: SQLInputValue[]) => SQLInputValue,
      result: ((children: Children) => combine(sha256, children)) as unknown as (
        accumulator: SQLInputValue,
      ) => SQLInputValue,
    });
  }
}

function line([id, kind, type, source, target, status, content, contentType]: SQLInputValue[]): string {
  const item =
    kind === "redirect"
      ? { id, kind, type, source, target, status }
      : { id, kind, type, path: source, content, contentType };
  return formatItem(item as unknown as Item);
}

/** Several columns of one line are asked for in turn: it is parsed once. */
function createColumnReader(): (line: SQLInputValue, name: SQLInputValue) => SQLInputValue {
  let last: SQLInputValue = null;
  let columns: ItemColumns | undefined;
  return (text, name) => {
    if (typeof text !== "string") return null;
    if (text !== last) columns = columnsOf(JSON.parse(text) as Item);
    last = text;
    return columns?.[name as keyof ItemColumns] ?? null;
  };
}

function summarise(text: SQLInputValue): string | null {
  if (typeof text !== "string") return null;
  const item = JSON.parse(text) as Item;
  return JSON.stringify({ id: item.id, kind: item.kind, ...summaryOf(columnsOf(item)) });
}
