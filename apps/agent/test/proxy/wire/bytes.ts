/** The bytes that most cases share. */

/** Lines, and the empty line. */
export const head = (...lines: readonly string[]): string => `${lines.join("\r\n")}\r\n\r\n`;

/** What the proxy adds to a request, in what `withoutPseudonyms` leaves. */
export const via = "Via: 1.1 posthouse";

/** The same bytes, the agents in Via by their common name. */
export const withoutPseudonyms = (text: string): string =>
  text.replace(/posthouse-[0-9a-f]{8}/g, "posthouse");

/** Whether the last bytes are the end of a request's head. */
export const endsWithHead = (text: string): boolean => /posthouse-[0-9a-f]{8}\r\n\r\n$/.test(text);

/** A request as it reaches the backend. */
export const forwarded = (...lines: readonly string[]): string => head(...lines, via);

/** What a backend answers where nothing else is said. */
export const ok: string = `${head("HTTP/1.1 200 OK", "Content-Length: 2")}ok`;

/** An answer to a client whose connection is closed behind it. */
export const closing = (...lines: readonly string[]): string => head(...lines, "Connection: close");

/** An answer to a client whose connection goes on. */
export const keeping = (...lines: readonly string[]): string =>
  head(...lines, "Connection: keep-alive", "Keep-Alive: timeout=65, max=100000");

export const okClosing: string = `${closing("HTTP/1.1 200 OK", "Content-Length: 2")}ok`;
export const okKeeping: string = `${keeping("HTTP/1.1 200 OK", "Content-Length: 2")}ok`;

/** What the parser refuses. */
export function refusedBytes(status: string): string {
  const body = `${status.slice(4).toLowerCase()}\n`;
  return head(
    `HTTP/1.1 ${status}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
    "Connection: close",
  ).concat(body);
}

/** What was parsed and is refused, or failed. */
export function refusal(status: string, body: string): string {
  return closing(
    `HTTP/1.1 ${status}`,
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${body.length}`,
  ).concat(body);
}

export const badRequest: string = refusedBytes("400 Bad Request");
export const badHost: string = refusal(
  "400 Bad Request",
  "a request needs exactly one Host header that names a host\n",
);
export const badTransferEncoding: string = refusal(
  "400 Bad Request",
  "the Transfer-Encoding is not supported\n",
);
export const badVersion: string = refusal("400 Bad Request", "the HTTP version is not spoken here\n");
export const badTarget: string = refusal(
  "400 Bad Request",
  "the request target is neither a path nor a URL\n",
);
export const badGateway: string = refusal("502 Bad Gateway", "502 the backend gave no usable answer\n");
