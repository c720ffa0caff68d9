import { randomUUID } from "node:crypto";

/** Where each byte of .NET's Guid.ToByteArray stands in the written form: the first three groups are little-endian. */
const byteOrder = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/** 22 characters. */
export function encodeGuid(guid: string): string {
  const written = Buffer.from(guid.replaceAll("-", ""), "hex");
  if (written.length !== 16) throw new Error(`not a GUID: ${guid}`);
  const bytes = Buffer.from(byteOrder.map((at) => written[at] ?? 0));
  return bytes.toString("base64").replaceAll("/", "_").replaceAll("+", "-").slice(0, 22);
}

/** The GUID in lower case, or undefined when these are not 22 characters of one. */
export function decodeGuid(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]{21}[AQgw]$/.test(text)) return undefined;
  const bytes = Buffer.from(text.replaceAll("_", "/").replaceAll("-", "+"), "base64");
  const hex = Buffer.from(byteOrder.map((at) => bytes[at] ?? 0)).toString("hex");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const createSecret = (envId: string): string => encodeGuid(randomUUID()) + encodeGuid(envId);

/** The environment that a secret belongs to; undefined when it is not shaped like a secret. */
export function environmentOf(secret: string): string | undefined {
  if (secret.length !== 44 || decodeGuid(secret.slice(0, 22)) === undefined) return undefined;
  return decodeGuid(secret.slice(22));
}

/** `rp-`, the milliseconds reversed in base64, and a GUID: 43 characters. */
export function createRelayKey(): string {
  const reversed = [...String(Date.now())].reverse().join("");
  return `rp-${Buffer.from(reversed).toString("base64").replace(/=+$/, "")}${encodeGuid(randomUUID())}`;
}
