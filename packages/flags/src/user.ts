import * as z from "zod";
import { flagsErrors } from "./errors.ts";
import { isBlank } from "./text.ts";

/** Who a flag is evaluated for. */
export interface FlagUser {
  readonly keyId: string;
  /** Null when the SDK sent none: then no condition on it is true (4.2). */
  readonly name: string | null;
  /** Custom properties; of several with one name the first (4.2). */
  readonly properties: ReadonlyMap<string, string>;
}

const property = z.object({ name: z.string().nullish(), value: z.string().nullish() });
const schema = z.object({
  keyid: z.string().refine((keyId) => !isBlank(keyId), "it is blank"),
  name: z.string().nullish(),
  customizedproperties: z.array(z.unknown()).nullish(),
});

/**
 * Reads the user that an SDK sends (3.7): names of fields in any case, values all text. Throws FLAG_USER_INVALID, for
 * which FeatBit sends no answer over a socket and 400 over HTTP.
 */
export function parseFlagUser(input: unknown): FlagUser {
  const user = check(schema, lowerNames(input), "");
  const properties = new Map<string, string>();
  for (const [index, entry] of (user.customizedproperties ?? []).entries()) {
    const { name, value } = check(property, lowerNames(entry), `customizedProperties[${index}]`);
    if (typeof name === "string" && !properties.has(name)) properties.set(name, value ?? "");
  }
  return { keyId: user.keyid, name: user.name ?? null, properties };
}

function check<T extends z.ZodType>(wanted: T, input: unknown, at: string): z.infer<T> {
  const result = wanted.safeParse(input);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [at, ...(issue?.path ?? [])].filter((part) => part !== "").join(".");
  throw flagsErrors.create("FLAG_USER_INVALID", { reason: `${path || "the whole"}: ${issue?.message}` });
}

function lowerNames(input: unknown): unknown {
  if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).map(([name, value]) => [name.toLowerCase(), value]));
}

/** Reads one property of a user (4.2). */
export type PropertyReader = (user: FlagUser) => string | null;

export function createPropertyReader(name: string | null | undefined): PropertyReader {
  if (name === null || name === undefined || isBlank(name)) return () => "";
  if (name === "keyId") return (user) => user.keyId;
  if (name === "name") return (user) => user.name;
  return (user) => user.properties.get(name) ?? "";
}
