import { flagsErrors } from "./errors.ts";

/** Characters of an environment secret. */
export const secretLength = 44;
const guidLength = 22;

/**
 * The environment that a secret is of: its last 22 characters are the id, 16 bytes in .NET's order, in base64 with `-`
 * and `_` (3.6). It proves nothing: whether the secret exists must be looked up. Throws FLAG_SECRET_INVALID.
 */
export function parseSecret(secret: string): { readonly envId: string } {
  if (secret.length !== secretLength) {
    throw flagsErrors.create("FLAG_SECRET_INVALID", { reason: `it has not ${secretLength} characters` });
  }
  const encoded = secret.slice(-guidLength);
  if (!/^[\w-]+$/.test(secret)) {
    throw flagsErrors.create("FLAG_SECRET_INVALID", { reason: "it holds other characters than base64 has" });
  }
  const bytes = atob(`${encoded.replaceAll("-", "+").replaceAll("_", "/")}==`);
  return { envId: formatGuid(bytes) };
}

/** The first three groups stand in little-endian order. */
function formatGuid(bytes: string): string {
  const hex = (...places: readonly number[]): string =>
    places.map((place) => bytes.charCodeAt(place).toString(16).padStart(2, "0")).join("");
  return [hex(3, 2, 1, 0), hex(5, 4), hex(7, 6), hex(8, 9), hex(10, 11, 12, 13, 14, 15)].join("-");
}
