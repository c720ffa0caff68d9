import { METHODS } from "node:http";
import { isHost } from "./host.ts";

/** A request of HTTP/2, said as HTTP/1.1 says it. */
export interface Request2 {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  /** Names and values in turn: Host first, one Cookie, Transfer-Encoding for a body whose length is not known. */
  readonly headers: readonly string[];
  readonly hasBody: boolean;
  readonly expects: string | undefined;
  /** Why the request is refused, and with what status. */
  readonly refusal: readonly [status: number, reason: string] | undefined;
}

const methods = new Set(METHODS);
const fieldName = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
const path = /^[\x21-\x7e\x80-\xff]+$/;
const forbidden = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
const fieldOverheadBytes = 32;
const digits = /^\d{1,15}$/;

/**
 * Reads the header list of a request, names and values in turn, pseudo headers among them. Refuses what could not be said
 * in HTTP/1.1, or would be understood differently there (RFC 9113, 8.2, 8.3 and 10.3). `maxBytes` is counted as 6.5.2 says.
 */
export function readRequest2(list: readonly string[], endsWithHead: boolean, maxBytes: number): Request2 {
  const pseudo: Record<string, string> = {};
  const headers: string[] = [];
  let host: string | undefined;
  let length: string | undefined;
  let expects: string | undefined;
  let cookie = "";
  let fault: string | undefined;
  let bytes = 0;
  for (let index = 0; index < list.length; index += 2) {
    const name = list[index] ?? "";
    const value = list[index + 1] ?? "";
    bytes += name.length + value.length + fieldOverheadBytes;
    if (name.startsWith(":")) {
      if (pseudo[name] !== undefined || headers.length > 0) fault = "a pseudo header is out of place";
      pseudo[name] = value;
      continue;
    }
    if (!fieldName.test(name) || !fieldValue.test(value)) fault = "a header is not one of HTTP";
    else if (forbidden.has(name)) fault = `there is no ${name} in HTTP/2`;
    else if (name === "te" && value.toLowerCase() !== "trailers") fault = "te can only be trailers in HTTP/2";
    else if (name === "host") {
      if (host !== undefined) fault = "there are two hosts";
      host = value;
      continue;
    } else if (name === "content-length") {
      if (length !== undefined || !digits.test(value)) fault = "the content-length is odd or repeated";
      length = value;
    } else if (name === "expect") expects = value.toLowerCase();
    else if (name === "cookie") {
      cookie += cookie === "" ? value : `; ${value}`;
      continue;
    }
    headers.push(name, value);
  }
  const { ":method": method = "", ":path": target = "", ":authority": authority = host ?? "" } = pseudo;
  const hasBody = !endsWithHead && length !== "0";
  if (endsWithHead && length !== undefined && Number(length) > 0) fault = "the body is missing";
  if (host !== undefined && host !== authority) fault = "host and :authority differ";
  if (!isHost(authority)) fault ??= "a request needs a host";
  if (!methods.has(method)) fault ??= "the method is not known";
  if (!path.test(target)) fault ??= "the path cannot be a request target";
  return {
    method,
    target,
    authority,
    headers: [
      ...["host", authority, ...headers],
      ...(cookie === "" ? [] : ["cookie", cookie]),
      ...(hasBody && length === undefined ? ["transfer-encoding", "chunked"] : []),
    ],
    hasBody,
    expects,
    refusal: bytes > maxBytes ? [431, "the headers are too large"] : refusalOf(fault, method, expects),
  };
}

function refusalOf(
  fault: string | undefined,
  method: string,
  expects: string | undefined,
): Request2["refusal"] {
  if (fault !== undefined) return [400, fault];
  // No tunnel to just anywhere is made here (RFC 9110, 9.3.6).
  if (method === "CONNECT") return [405, "method not allowed"];
  return expects === undefined || expects === "100-continue" ? undefined : [417, "expectation failed"];
}
