import type { Exchange } from "../http/exchange.ts";
import { connectionTokens, forbiddenTrailers } from "./backend/response-head.ts";

/** What of a request's headers goes to the backend, and what framing its body has. */
export interface RequestHead {
  /** Everything before the body, ending with an empty line. */
  readonly text: string;
  readonly body: "none" | "length" | "chunked";
  /** Of `length`, and 0 else. */
  readonly bodyBytes: number;
}

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** What a client's Connection header cannot take away. */
const protectedNames = new Set([
  "host",
  "content-length",
  "forwarded",
  "x-real-ip",
  "via",
  "expect",
  "authorization",
  "cookie",
]);

export interface RequestHeadOptions {
  readonly target: string;
  /** The Host to send; undefined sends the client's. */
  readonly host: string | undefined;
  /** Lines `Name: value\r\n` to add. */
  readonly added: string;
  /** Lower-case names to leave out. */
  readonly dropped: ReadonlySet<string>;
}

/**
 * Writes a request for the backend. End-to-end headers stay as they came: order, case, repetition. Hop-by-hop ones, and
 * those that `Connection` names, are left out (RFC 9110, 7.6.1).
 */
export function formatRequestHead(exchange: Exchange, options: RequestHeadOptions): RequestHead {
  const { rawHeaders, upgrade } = exchange;
  const named = namedByConnection(rawHeaders);
  let text = `${exchange.method} ${options.target} HTTP/1.1\r\n`;
  let body: RequestHead["body"] = "none";
  let bodyBytes = 0;
  let wantsTrailers = false;
  let hasHost = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    let value = rawHeaders[index + 1] ?? "";
    const lower = name.toLowerCase();
    if (lower === "host") {
      hasHost = true;
      value = options.host ?? value;
    } else if (lower === "content-length") {
      bodyBytes = Number(value);
      if (bodyBytes > 0) body = "length";
      value = String(bodyBytes);
    } else if (lower === "transfer-encoding") body = "chunked";
    else if (lower === "te") wantsTrailers ||= /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value);
    // From an old client it means nothing (RFC 9110, 10.1.1).
    if (lower === "expect" && exchange.httpVersion === "1.0") continue;
    if (hopByHop.has(lower) || options.dropped.has(lower) || named?.includes(lower) === true) continue;
    text += `${name}: ${value}\r\n`;
  }
  if (!hasHost) text += `Host: ${options.host ?? exchange.authority}\r\n`;
  if (body === "chunked") text += "Transfer-Encoding: chunked\r\n";
  if (upgrade !== undefined) text += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (wantsTrailers) text += "TE: trailers\r\nConnection: TE\r\n";
  return { text: `${text}${options.added}\r\n`, body, bodyBytes };
}

/**
 * The lines of a request's trailers. What frames, routes, authenticates or says who asks belongs in the head, where it
 * was judged (RFC 9110, 6.5.1).
 */
export function formatTrailers(trailers: readonly string[]): string {
  let text = "";
  for (let index = 0; index < trailers.length; index += 2) {
    const name = trailers[index] ?? "";
    const lower = name.toLowerCase().replaceAll("_", "-");
    if (forbiddenTrailers.has(lower) || hopByHop.has(lower) || isProtected(lower)) continue;
    text += `${name}: ${trailers[index + 1]}\r\n`;
  }
  return text;
}

function namedByConnection(rawHeaders: readonly string[]): readonly string[] | undefined {
  let named: string[] | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length !== 10 || name.toLowerCase() !== "connection") continue;
    for (const token of connectionTokens(rawHeaders[index + 1] ?? "")) {
      if (token === "close" || token === "keep-alive" || isProtected(token)) continue;
      named ??= [];
      named.push(token);
    }
  }
  return named;
}

function isProtected(token: string): boolean {
  return protectedNames.has(token) || token.startsWith("x-forwarded-");
}
