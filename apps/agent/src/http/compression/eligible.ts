const minBytes = 1024;
const types =
  /^(?:text\/|application\/(?:json|javascript|x-javascript|xml|wasm|manifest\+json|vnd\.ms-fontobject|[\w.+-]+\+(?:json|xml))|image\/(?:svg\+xml|bmp|x-icon|vnd\.microsoft\.icon)|font\/(?:ttf|otf|collection))/i;
const statuses = new Set([
  200, 201, 203, 400, 401, 403, 404, 405, 406, 409, 410, 422, 429, 451, 500, 502, 503, 504,
]);
/** With these an answer cannot be changed, or is compressed already. */
const hindrances = new Set([
  "content-encoding",
  "content-range",
  "content-md5",
  "content-digest",
  "repr-digest",
  "digest",
  "signature",
]);

export interface Candidate {
  readonly isEventStream: boolean;
}

/** What an answer is to compression, or undefined where it stays as it is, whoever asks (RFC 9110, 7.7). */
export function compressible(
  status: number,
  headers: readonly string[],
  bytes?: number,
): Candidate | undefined {
  if (!statuses.has(status)) return undefined;
  let type = "";
  let length = bytes;
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index]?.toLowerCase() ?? "";
    const value = headers[index + 1] ?? "";
    if (hindrances.has(name)) return undefined;
    if (name === "content-type") type = value;
    else if (name === "content-length") length = Number(value);
    else if (name === "cache-control" && /(?:^|[\s,])no-transform(?:$|[\s,])/i.test(value)) return undefined;
  }
  if (!types.test(type) || (length !== undefined && length < minBytes)) return undefined;
  return { isEventStream: /^text\/event-stream\s*(?:;|$)/i.test(type) };
}

/** Says that the answer depends on Accept-Encoding. */
export function addVary(headers: string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== "vary") continue;
    if (/(?:^|[\s,])(?:\*|accept-encoding)(?:$|[\s,])/i.test(headers[index + 1] ?? "")) return;
  }
  headers.push("Vary", "Accept-Encoding");
}

/** A tag of other bytes may promise no more than that they mean the same (RFC 9110, 8.8.1). */
export function weakenTag(headers: string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    const value = headers[index + 1] ?? "";
    if (headers[index]?.toLowerCase() === "etag" && !value.startsWith("W/"))
      headers[index + 1] = `W/${value}`;
  }
}

/** The headers of the answer in that encoding: its bytes are others, so are its length and what its tag may promise. */
export function encodedHeaders(headers: readonly string[], encoding: string): string[] {
  const changed: string[] = [];
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] ?? "";
    const lower = name.toLowerCase();
    if (lower !== "content-length" && lower !== "accept-ranges") changed.push(name, headers[index + 1] ?? "");
  }
  weakenTag(changed);
  changed.push("Content-Encoding", encoding);
  addVary(changed);
  return changed;
}
