import { Secret } from "@posthouse/service";

const key = "$secret";

/** A value with secrets in it, as it can be handed to another thread, which cannot take the type itself. */
export function seal(value: unknown): unknown {
  if (value instanceof Secret) return { [key]: value.reveal() };
  return mapped(value, seal);
}

/** The same value as was sealed, on the other side. */
export function unseal(value: unknown): unknown {
  const text =
    typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof text === "string" ? new Secret(text) : mapped(value, unseal);
}

function mapped(value: unknown, change: (value: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, change(inner)]));
}
