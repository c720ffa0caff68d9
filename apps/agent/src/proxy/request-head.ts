import { connectionTokens } from "./backend/response-head.ts";
import type { Exchange } from "../http/exchange.ts";

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
const protectedNames = new Set(["host", "content-length", "forwarded", "via", "expect", "authorization", "cookie"]);

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
    } else if (lower === "transfer-encoding") body = "chunked";
    else if (lower === "te") wantsTrailers = /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value);
    if (hopByHop.has(lower) || options.dropped.has(lower) || named?.includes(lower) === true) continue;
    text += `${name}: ${value}\r\n`;
  }
  if (!hasHost) text += `Host: ${options.host ?? exchange.authority}\r\n`;
  if (body === "chunked") text += "Transfer-Encoding: chunked\r\n";
  if (upgrade !== undefined) text += `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  else if (wantsTrailers) text += "TE: trailers\r\nConnection: TE\r\n";
  return { text: `${text}${options.added}\r\n`, body, bodyBytes };
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
