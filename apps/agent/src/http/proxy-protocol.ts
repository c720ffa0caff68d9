/**
 * The PROXY header that a load balancer writes before anything else (HAProxy's PROXY protocol, versions 1 and 2). Strict:
 * there is one way to write each header, and what is not that is refused.
 */
import { crc32c } from "./crc32c.ts";
import { canonicalIp } from "./ip-address.ts";

export interface ProxyHeader {
  /** How many bytes it takes. */
  readonly bytes: number;
  /** The client that is announced, as `canonicalIp` writes it; undefined: the connection speaks for itself. */
  readonly source: string | undefined;
}

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
const start = Buffer.from("PROXY ", "latin1");
/** Of version 1, by its specification. */
const maxLineBytes = 107;
/** Of version 2, with everything that it may carry beside addresses. */
export const maxProxyHeaderBytes = 4096;

const port = "(?:0|[1-9]\\d{0,4})";
const line = new RegExp(
  `^PROXY (TCP4|TCP6) ([\\dA-Fa-f:.]{2,39}) ([\\dA-Fa-f:.]{2,39}) (${port}) (${port})$`,
);

/**
 * Reads the header at the start of `bytes`. `more`: it is not all there yet. `bad`: this is none, or one that cannot be
 * understood. Never throws.
 */
export function parseProxyHeader(bytes: Buffer): ProxyHeader | "more" | "bad" {
  if (isStartOf(signature, bytes)) {
    return bytes.length < 16 ? "more" : parseBinary(bytes);
  }
  return isStartOf(start, bytes) ? parseLine(bytes) : "bad";
}

function isStartOf(whole: Buffer, bytes: Buffer): boolean {
  const length = Math.min(whole.length, bytes.length);
  return whole.subarray(0, length).equals(bytes.subarray(0, length));
}

function parseLine(bytes: Buffer): ProxyHeader | "more" | "bad" {
  const end = bytes.subarray(0, maxLineBytes).indexOf("\r\n");
  if (end === -1) return bytes.length >= maxLineBytes ? "bad" : "more";
  const text = bytes.toString("latin1", 0, end);
  if (text === "PROXY UNKNOWN" || text.startsWith("PROXY UNKNOWN "))
    return { bytes: end + 2, source: undefined };
  const [, family, from = "", to = "", ...ports] = line.exec(text) ?? [];
  if (family === undefined || ports.some((number) => Number(number) > 65_535)) return "bad";
  const isV6 = family === "TCP6";
  if (from.includes(":") !== isV6 || to.includes(":") !== isV6) return "bad";
  const source = canonicalIp(from);
  if (source === undefined || canonicalIp(to) === undefined) return "bad";
  return { bytes: end + 2, source };
}

const addressBytes: Readonly<Record<number, number>> = { 0: 0, 1: 12, 2: 36, 3: 216 };

function parseBinary(bytes: Buffer): ProxyHeader | "more" | "bad" {
  const [versionAndCommand = 0, familyAndTransport = 0] = bytes.subarray(12, 14);
  const command = versionAndCommand & 0x0f;
  const family = familyAndTransport >> 4;
  const transport = familyAndTransport & 0x0f;
  const length = bytes.readUInt16BE(14);
  const total = 16 + length;
  if (versionAndCommand >> 4 !== 2 || command > 1 || total > maxProxyHeaderBytes) return "bad";
  if (bytes.length < total) return "more";
  // LOCAL is the load balancer's own; whatever else stands there is to be passed over.
  if (command === 0) return { bytes: total, source: undefined };
  const needed = addressBytes[family];
  // What it says it carries is a stream, or nothing is said.
  if (needed === undefined || (family === 0 ? transport !== 0 : transport !== 1)) return "bad";
  if (family !== 0 && (length < needed || !areExtensions(bytes.subarray(0, total), 16 + needed)))
    return "bad";
  return { bytes: total, source: sourceOf(family, bytes.subarray(16, total)) };
}

function sourceOf(family: number, addresses: Buffer): string | undefined {
  if (family === 1) return addresses.subarray(0, 4).join(".");
  if (family !== 2) return undefined;
  const words = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
  return canonicalIp(words.join(":"));
}

const checksumType = 3;

/** Type, length and value in turn, to the last byte; a checksum among them must be that of the header. */
function areExtensions(header: Buffer, from: number): boolean {
  let at = from;
  while (at + 3 <= header.length) {
    const length = header.readUInt16BE(at + 1);
    const value = at + 3;
    if (header[at] === checksumType && !(length === 4 && isChecksum(header, value))) return false;
    at = value + length;
  }
  return at === header.length;
}

/** Whether the four bytes there are the CRC32C of the header with zeros in their place. */
function isChecksum(header: Buffer, at: number): boolean {
  if (at + 4 > header.length) return false;
  return header.readUInt32BE(at) === crc32c(Buffer.from(header).fill(0, at, at + 4));
}
