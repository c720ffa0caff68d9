import { agentErrors } from "../../core/errors.ts";

/** How the end of a response's body is known (RFC 9112, 6.3). */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  /** End-to-end headers: names and values in turn, as the backend wrote them, in its order. */
  readonly headers: string[];
  readonly framing: Framing;
  /** Whether the connection may carry another request once the body has ended. */
  readonly keepAlive: boolean;
  /** For how long the backend says it will wait for that. */
  readonly keepAliveMs: number | undefined;
  /** What a 101 switches to. */
  readonly upgrade: string | undefined;
}

const none: Framing = { kind: "none" };
const chunked: Framing = { kind: "chunked" };
const untilClose: Framing = { kind: "close" };

const statusLine = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
/** Lines that `parseFieldLine` accepts, all at once. */
const fieldLines = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*(?:\r\n|$))*$/;
const fieldName = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const digits = /^\d{1,15}$/;
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** What a trailer may not say, because it frames or routes a message or was needed before it (RFC 9110, 6.5.1). */
export const forbiddenTrailers: ReadonlySet<string> = new Set([
  ...hopByHop,
  "content-length",
  "content-encoding",
  "content-range",
  "content-type",
  "host",
  "set-cookie",
  "location",
]);

/**
 * Reads the head of a response, without its empty line, as latin1. Strict: what another reader could understand
 * differently is refused (RFC 9112, 4 to 6).
 * @throws BackendError BACKEND_GARBAGE
 */
export function parseResponseHead(text: string, requestMethod: string): ResponseHead {
  const lineEnd = endOfLine(text, 0);
  const status = statusLine.exec(text.slice(0, lineEnd));
  if (status === null) throw garbage("the status line is not one of HTTP/1");
  const code = Number(status[2]);
  if (code < 200 && status[1] === "0") throw garbage("an informational answer in HTTP/1.0");
  const headers: string[] = [];
  let lengthText: string | undefined;
  let transferEncoding: string | undefined;
  let connection: string | undefined;
  let upgrade: string | undefined;
  let keepAliveMs: number | undefined;

  const fields = text.slice(lineEnd + 2);
  if (!fieldLines.test(fields)) fields.split("\r\n").forEach(parseFieldLine);
  for (let at = 0; at < fields.length; ) {
    const end = endOfLine(fields, at);
    const colon = fields.indexOf(":", at);
    const name = fields.slice(at, colon);
    const value = trimmed(fields, colon + 1, end);
    const length = name.length;
    at = end + 2;
    // Only names of these lengths can be hop-by-hop or frame the body.
    if (
      length !== 14 &&
      length !== 17 &&
      length !== 10 &&
      length !== 7 &&
      length !== 2 &&
      length !== 16 &&
      length !== 18
    ) {
      headers.push(name, value);
      continue;
    }
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      if (!digits.test(value) || (lengthText !== undefined && lengthText !== value))
        throw garbage("a Content-Length that is odd or repeated");
      if (lengthText === undefined) headers.push(name, value);
      lengthText = value;
    } else if (lower === "transfer-encoding") {
      // Right by the grammar, and yet Node and others read another encoding.
      if (/\t *$/.test(fields.slice(colon, end))) throw garbage("a tab behind the Transfer-Encoding");
      transferEncoding = transferEncoding === undefined ? value : `${transferEncoding}, ${value}`;
    } else if (lower === "connection") {
      connection = connection === undefined ? value.toLowerCase() : `${connection}, ${value.toLowerCase()}`;
    } else if (lower === "upgrade") {
      upgrade = value;
    } else if (lower === "keep-alive") {
      keepAliveMs = announcedMs(value);
    } else if (!hopByHop.has(lower)) {
      headers.push(name, value);
    }
  }
  if (transferEncoding !== undefined && lengthText !== undefined)
    throw garbage("both Content-Length and Transfer-Encoding");
  const framing = framingOf(code, requestMethod, transferEncoding, lengthText);
  const tokens =
    connection === undefined ? noTokens : (usualTokens.get(connection) ?? connectionTokens(connection));
  // Chunks in HTTP/1.0 are faulty framing, after which nothing more is believed (RFC 9112, 6.1).
  const persistent =
    status[1] === "1"
      ? !tokens.includes("close")
      : tokens.includes("keep-alive") && transferEncoding === undefined;
  return {
    status: code,
    reason: status[3] ?? "",
    headers: endToEnd(headers, tokens, code),
    framing,
    keepAlive: persistent && framing.kind !== "close" && keepAliveMs !== 0,
    keepAliveMs,
    upgrade: code === 101 ? upgrade : undefined,
  };
}

/** `timeout=N` of a Keep-Alive header, in whole seconds (RFC 2068, 19.7.1). */
function announcedMs(value: string): number | undefined {
  const seconds = /(?:^|[,;\s])timeout="?(\d{1,6})"?(?:[,;\s]|$)/i.exec(value)?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1000;
}

const noTokens: readonly string[] = [];
const usualTokens: ReadonlyMap<string, readonly string[]> = new Map(
  ["keep-alive", "close"].map((token) => [token, [token]]),
);

/** The names in a Connection header, lower case. */
export function connectionTokens(value: string): string[] {
  return value
    .toLowerCase()
    .split(",")
    .map((token) => token.trim())
    .filter((token) => token !== "");
}

const noNames: ReadonlySet<string> = new Set(["close", "keep-alive", "upgrade", "content-length"]);

/** Without what Connection names, which cannot be the length; with 1xx and 204 there is none (RFC 9110, 8.6). */
function endToEnd(headers: string[], tokens: readonly string[], status: number): string[] {
  const named = tokens.every((token) => noNames.has(token))
    ? []
    : tokens.filter((token) => !noNames.has(token));
  if (status < 200 || status === 204) named.push("content-length");
  if (named.length === 0) return headers;
  const kept: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    if (!named.includes(name.toLowerCase())) kept.push(name, headers[index + 1] ?? "");
  }
  return kept;
}

function framingOf(
  status: number,
  method: string,
  transferEncoding: string | undefined,
  lengthText: string | undefined,
): Framing {
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return none;
  if (transferEncoding !== undefined) {
    if (transferEncoding.toLowerCase() !== "chunked") throw garbage("a Transfer-Encoding other than chunked");
    return chunked;
  }
  if (lengthText === undefined) return untilClose;
  const bytes = Number(lengthText);
  return bytes === 0 ? none : { kind: "length", bytes };
}

/** One `name: value`. @throws BACKEND_GARBAGE */
export function parseFieldLine(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon));
  if (!fieldName.test(name)) throw garbage("a header line without a proper name");
  const value = trimmed(line, colon + 1, line.length);
  if (!fieldValue.test(value)) throw garbage(`control characters in ${name}`);
  return [name, value];
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\r\n", from);
  return end === -1 ? text.length : end;
}

function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

/** An answer that no HTTP/1 reader should trust. */
export function garbage(reason: string): Error {
  return agentErrors.create("BACKEND_GARBAGE", { reason });
}
