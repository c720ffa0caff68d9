import { type Cursor, parseCursor } from "./cursor.ts";

export interface ListQuery {
  readonly limit: number;
  readonly offset: number;
  readonly cursor: Cursor | undefined;
}

/** Reads `limit`, `offset` and `cursor` as Flecto's Manager does: names in any case, the first value counts. @throws Error */
export function parseListQuery(url: string): ListQuery {
  const values = new Map<string, string>();
  const at = url.indexOf("?");
  for (const [key, value] of new URLSearchParams(at < 0 ? "" : url.slice(at + 1))) {
    const name = key.toLowerCase();
    if (!values.has(name)) values.set(name, value);
  }
  const cursor = values.get("cursor") ?? "";
  return {
    limit: integerOf(values.get("limit"), 500),
    offset: integerOf(values.get("offset"), 0),
    cursor: cursor === "" ? undefined : parseCursor(cursor),
  };
}

function integerOf(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (text === "") return 0;
  const reason = `strconv.ParseInt: parsing ${JSON.stringify(text)}: `;
  if (!/^[+-]?\d+$/.test(text)) throw bindError(`${reason}invalid syntax`);
  const value = BigInt(text.replace("+", ""));
  if (value !== BigInt.asIntN(64, value)) throw bindError(`${reason}value out of range`);
  return Number(value);
}

const bindError = (reason: string): Error => new Error(`code=400, message=${reason}, internal=${reason}`);
