import type { FlagUser } from "@posthouse/flags";

/** What OFREP says of a request that cannot be answered. */
export class OfrepRefusal extends Error {
  readonly code: "PARSE_ERROR" | "TARGETING_KEY_MISSING" | "INVALID_CONTEXT";

  constructor(code: OfrepRefusal["code"], reason: string) {
    super(reason);
    this.code = code;
  }
}

/**
 * The user of an OFREP request. `targetingKey` is the key; `name`, if it is text, the name; everything else a custom
 * property. FeatBit's properties are text: numbers and booleans are written as JavaScript writes them (`36`, `1.5`,
 * `true`), lists and objects as JSON; null is no property. Throws OfrepRefusal.
 */
export function parseContext(request: unknown): FlagUser {
  if (!isObject(request)) throw new OfrepRefusal("PARSE_ERROR", "expected an object with a context");
  const { context = {} } = request;
  if (!isObject(context)) throw new OfrepRefusal("INVALID_CONTEXT", "context: expected an object");
  const { targetingKey, name, ...rest } = context;
  if (targetingKey === undefined || targetingKey === null)
    throw new OfrepRefusal("TARGETING_KEY_MISSING", "context.targetingKey is missing");
  if (typeof targetingKey !== "string")
    throw new OfrepRefusal("INVALID_CONTEXT", "context.targetingKey: expected a text");
  if (targetingKey.trim() === "")
    throw new OfrepRefusal("TARGETING_KEY_MISSING", "context.targetingKey is blank");
  const properties = new Map<string, string>();
  for (const [property, value] of Object.entries(rest)) {
    if (value !== null) properties.set(property, textOf(value));
  }
  return { keyId: targetingKey, name: name === undefined || name === null ? null : textOf(name), properties };
}

const textOf = (value: unknown): string =>
  typeof value === "object" ? JSON.stringify(value) : String(value);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
