import type { IncomingMessage } from "node:http";
import { isHost } from "./host.ts";

/** What a server must know of a request before anybody answers it. */
export interface RequestFacts {
  readonly authority: string;
  readonly body: "none" | "length" | "chunked";
  /** Of `length`. */
  readonly bodyBytes: number;
  /** It asks for another protocol, beside what it asks as a plain request. */
  readonly upgrades: boolean;
  /** Why the request is refused; its connection is closed. */
  readonly refusal: string | undefined;
}

/**
 * Reads the headers that frame and route a request. Refuses what another server might understand differently, as far as
 * Node's parser lets it through: no Host or two (RFC 9112, 3.2), a Host that is none, a Transfer-Encoding other than
 * chunked or before HTTP/1.1 (6.1), a version that is not spoken here.
 */
export function readRequest(request: IncomingMessage): RequestFacts {
  const { rawHeaders, httpVersionMajor, httpVersionMinor } = request;
  let authority = "";
  let hosts = 0;
  let body: RequestFacts["body"] = "none";
  let bodyBytes = 0;
  let upgrades = false;
  let refusal: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") {
      hosts++;
      authority = rawHeaders[index + 1] ?? "";
    } else if (name.length === 14 && name.toLowerCase() === "content-length") {
      bodyBytes = Number(rawHeaders[index + 1]);
      if (bodyBytes > 0) body = "length";
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      if (body === "chunked" || httpVersionMinor === 0 || rawHeaders[index + 1]?.toLowerCase() !== "chunked")
        refusal = "the Transfer-Encoding is not supported";
      body = "chunked";
    } else if (name.length === 7 && name.toLowerCase() === "upgrade") upgrades = true;
  }
  if (httpVersionMajor !== 1 || httpVersionMinor > 1) refusal = "the HTTP version is not spoken here";
  else if (hosts === 0 ? httpVersionMinor === 1 : hosts > 1 || !isHost(authority))
    refusal = "a request needs exactly one Host header that names a host";
  return { authority, body, bodyBytes, upgrades, refusal };
}
