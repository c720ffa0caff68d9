/** Where a walk through a list stands: Flecto's opaque cursor. */
export interface Cursor {
  readonly id: number;
  readonly total: number;
  readonly delivered: number;
}

export function formatCursor({ id, total, delivered }: Cursor): string {
  return Buffer.from(JSON.stringify({ id, total, delivered })).toString("base64url");
}

/** @throws Error whose message is the one Flecto's Manager gives */
export function parseCursor(text: string): Cursor {
  const wrong = text.search(/[^A-Za-z0-9_-]/);
  if (wrong >= 0 || text.length % 4 === 1)
    throw new Error(
      `malformed cursor: illegal base64 data at input byte ${wrong >= 0 ? wrong : text.length - 1}`,
    );
  const decoded = parseObject(Buffer.from(text, "base64url").toString());
  const cursor = {
    id: numberOf(decoded, "id"),
    total: numberOf(decoded, "total"),
    delivered: numberOf(decoded, "delivered"),
  };
  if (Object.values(cursor).some((value) => value < 0)) throw new Error("malformed cursor: negative values");
  return cursor;
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {}
  throw new Error(`malformed cursor: invalid character '${text[0] ?? ""}' looking for beginning of value`);
}

function numberOf(values: Record<string, unknown>, name: string): number {
  const value = values[name] ?? 0;
  if (Number.isSafeInteger(value)) return value as number;
  throw new Error(
    `malformed cursor: json: cannot unmarshal ${typeof value} into Go struct field .${name} of type int64`,
  );
}
