import { decodeByteString } from "./bytes.ts";
import { decodePath, encodePath, findBadEscape, findControl, isEncodedPath } from "./url-path.ts";

/** What rules are compared with. `host` is there when the request line names one (absolute-form). */
export interface RequestTarget {
  readonly host?: string;
  readonly uri: string;
}

/**
 * The URI that rules see, from the target of a request line as it was received. Nothing is normalised, but a path that
 * holds a byte which may not stand in one is decoded and encoded as a whole.
 *
 * `rawTarget` holds one character per byte, as `node:http` gives it; with `text: true` (or with a character above
 * U+00FF) it is text, as a person types it. `undefined`: not a target that a rule could answer.
 */
export function requestUri(rawTarget: string, options: { text?: boolean } = {}): RequestTarget | undefined {
  if (plainTarget.test(rawTarget)) return { uri: rawTarget };
  if (rawTarget === "" || findControl(rawTarget) >= 0) return undefined;
  const target = options.text === true ? rawTarget : decodeByteString(rawTarget);
  const mark = target.indexOf("?");
  const front = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark);
  if (front.startsWith("/")) {
    const path = pathOf(front);
    return path === undefined ? undefined : { uri: path + query };
  }
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):(\/\/([^/]*))?(\/.*)?$/s.exec(front);
  if (absolute === null || (absolute[2] === undefined && absolute[4] === undefined)) return undefined;
  const path = pathOf(absolute[4] ?? "");
  const host = hostOf(absolute[3] ?? "");
  if (path === undefined || host === undefined) return undefined;
  const uri = (path === "" ? "/" : path) + query;
  return host === "" ? { uri } : { host, uri };
}

/** A path, and a query, of characters that stay as they are: nearly every request. */
const plainTarget = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*(?:\?[\x21-\x7e]*)?$/;

function pathOf(raw: string): string | undefined {
  if (isEncodedPath(raw)) return findBadEscape(raw) < 0 ? raw : undefined;
  return findBadEscape(raw) < 0 ? encodePath(decodePath(raw)) : undefined;
}

function hostOf(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (!/^(\[[^\]@]*\]|[^[\]:]*)(:[0-9]*)?$/.test(host)) return undefined;
  if (/[\s\\^`{|}#%/?@]/.test(host)) return undefined;
  return host;
}
