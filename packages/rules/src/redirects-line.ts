import { type RedirectStatus, redirectStatuses } from "@posthouse/protocol";
import { encodeUtf8 } from "./bytes.ts";

/** A line of a `_redirects` file: `FROM [NAME=VALUE …] TO [STATUS]`. */
export interface RedirectsLine {
  /** Of a source that names one; undefined: any host. */
  readonly host: string | undefined;
  /** The source's path, which may hold `:name` and one `*`. */
  readonly path: string;
  /** Conditions on the query; a value may be `:name`. */
  readonly params: readonly (readonly [string, string])[];
  readonly target: string;
  readonly status: RedirectStatus;
}

/** A line that cannot be expressed. With `answers` it would have answered requests, some or all of those of its source. */
export interface RefusedLine {
  readonly reason: string;
  readonly answers?: { readonly host: string | undefined; readonly path: string };
}

/** Reads one line; `undefined`: there is nothing on it. */
export function parseRedirectsLine(line: string): RedirectsLine | RefusedLine | undefined {
  const [from, ...words] = (line.split(/(?:^|\s)#/, 1)[0] ?? "").split(/\s+/).filter((word) => word !== "");
  if (from === undefined) return undefined;
  const source = readSource(from);
  if (typeof source === "string") return { reason: source };
  const at = words.findIndex((word) => /^(\/|[a-z][a-z0-9+.-]*:)/i.test(word));
  const target = words[at];
  if (target === undefined) return { reason: "the target is missing" };
  const [code = "301", ...conditions] = words.slice(at + 1);
  // Who the visitor is cannot be asked here; for the others the next lines hold.
  if (conditions.length > 0) return { reason: `the condition ${conditions[0]} is not offered` };
  const params = words.slice(0, at).map(readParam);
  const wrong = params.indexOf(undefined);
  if (wrong >= 0) return { reason: `${words[wrong]} is neither a condition NAME=VALUE nor a target` };
  const status = statusOf(code.replace(/!$/, ""));
  if (status === undefined) {
    const reason = `${code} is not offered; use 301, 302, 307 or 308`;
    return /^\d{3}!?$/.test(code) ? { reason, answers: source } : { reason };
  }
  return { ...source, params: params.filter((param) => param !== undefined), target, status };
}

function readSource(from: string): { host: string | undefined; path: string } | string {
  const site = /^(https?):\/\/([^/?#]+)(\/.*)?$/i.exec(from);
  if (site === null && !from.startsWith("/")) return "the source must start with /, http:// or https://";
  const host = site?.[2]?.toLowerCase();
  const path = site === null ? from : (site[3] ?? "/");
  if (host !== undefined && /[*:](?!\d+$)/.test(host)) return "a * or :name in the host is not offered";
  if (/[?#]/.test(path)) return "a ? or # in the source is not offered; write NAME=VALUE behind it";
  return { host, path: encodeText(path) };
}

function readParam(word: string): readonly [string, string] | undefined {
  const sign = word.indexOf("=");
  return sign > 0 ? [encodeText(word.slice(0, sign)), encodeText(word.slice(sign + 1))] : undefined;
}

/** Browsers send what is not ASCII as `%XX`. */
function encodeText(text: string): string {
  return text.replace(/[^\x21-\x7e]+/g, (part) =>
    encodeUtf8(part)
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
      .join(""),
  );
}

function statusOf(code: string): RedirectStatus | undefined {
  return Object.entries(redirectStatuses).find(([, known]) => String(known) === code)?.[0] as
    | RedirectStatus
    | undefined;
}
