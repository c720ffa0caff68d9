import { connectionTokens } from "./backend/response-head.ts";
import type { Exchange } from "../http/exchange.ts";

/** What of a request's headers goes to the backend, and what framing its body has. */
export interface RequestHead {
  /** Everything before the body, ending with an empty line. */
  readonly text: string;
  readonly body: "none" | "length" | "chunked";
}

const hopByHopLengths = new Set([2, 4, 7, 10, 16, 17, 18, 19, 14, 6]);
const dropped = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
]);
/** What a client's Connection header cannot take away. */
const protectedNames = new Set(["host", "content-length", "forwarded", "via", "expect", "authorization", "cookie"]);

export interface RequestHeadOptions {
  /** The Host to send; undefined sends the client's. */
  readonly host: string | undefined;
  /** Lines `Name: value\r\n` to add. */
  readonly added: string;
  /** Lower-case names that `added` replaces. */
  readonly replaced: ReadonlySet<string>;
  readonly target: string;
}

/** Writes a request for the backend: order, case and repetition of its headers as they came. */
export function formatRequestHead(exchange: Exchange, options: RequestHeadOptions): RequestHead {
  const { rawHeaders } = exchange;
  let text = `${exchange.method} ${options.target} HTTP/1.1\r\nHost: ${options.host ?? exchange.authority}\r\n`;
  let named: readonly string[] | undefined;
  let body: RequestHead["body"] = "none";
  let wantsTrailers = false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === 10 && name.toLowerCase() === "connection") {
      const tokens = connectionTokens(rawHeaders[index + 1] ?? "").filter(
        (token) => token !== "close" && token !== "keep-alive" && !isProtected(token),
      );
      if (tokens.length > 0) named = named === undefined ? tokens : [...named, ...tokens];
    }
  }
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    const value = rawHeaders[index + 1] ?? "";
    if (hopByHopLengths.has(name.length) || named !== undefined || options.replaced.size > 0) {
      const lower = name.toLowerCase();
      if (lower === "content-length") body = value === "0" ? "none" : "length";
      else if (lower === "transfer-encoding") body = "chunked";
      else if (lower === "te") wantsTrailers = /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value);
      if (dropped.has(lower) || options.replaced.has(lower) || named?.includes(lower) === true) continue;
    }
    text += `${name}: ${value}\r\n`;
  }
  if (body === "chunked") text += "Transfer-Encoding: chunked\r\n";
  if (wantsTrailers) text += "TE: trailers\r\nConnection: TE\r\n";
  return { text: `${text}${options.added}\r\n`, body };
}

function isProtected(token: string): boolean {
  return protectedNames.has(token) || token.startsWith("x-forwarded-");
}
