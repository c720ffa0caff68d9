import { type AdapterOptions, createAdapter, type RuleSource } from "./adapter.ts";

/** What is read of a `Request`. */
export interface FetchRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}

/** What the server received, where it still knows. */
export interface ReceivedRequest {
  /** The request target, one character per byte, as `node:http` has it in `request.url`. */
  readonly target?: string | undefined;
  /** The Host header. */
  readonly host?: string | undefined;
}

export type FetchHandler = (request: FetchRequest, received?: ReceivedRequest) => Response | undefined;

/**
 * For servers that take a `Request` and give a `Response`; undefined means that the request is the site's.
 *
 * A `Request` has no target any more, only a URL that was parsed: `.` and `..` segments are gone, `\` is `/`, some
 * characters are encoded, a `#` ends it. Rules see what is left, and the Host header as it was sent unless the URL
 * names another host. Pass `received` to have rules compared with what really came.
 */
export function createFetchHandler(source: RuleSource, options: AdapterOptions = {}): FetchHandler {
  const answer = createAdapter(source, options, (find, request: FetchRequest, received: ReceivedRequest) => {
    const { target = targetOf(request.url), host = hostOf(request) } = received;
    const found = find(request.method, target, host, request.headers.get("if-none-match") ?? undefined);
    if (found === undefined) return undefined;
    const headers = found.headers.map(([name, value]): [string, string] => [name, value]);
    return new Response(found.body === "" ? null : found.body, { status: found.status, headers });
  });
  return (request, received = {}) => answer(request, received);
}

const scheme = /^[^:]*:\/\//;

function targetOf(url: string): string {
  return url
    .replace(scheme, "")
    .replace(/^[^/?#]*/, "")
    .replace(/#.*$/s, "");
}

/** The URL's host, in the spelling of the Host header where both mean the same. */
function hostOf({ url, headers }: FetchRequest): string {
  const [start = ""] = scheme.exec(url) ?? [];
  const [host = ""] = /^[^/?#]*/.exec(url.slice(start.length)) ?? [];
  const header = headers.get("host") ?? "";
  if (header === "" || header === host || !URL.canParse(start + header)) return host;
  return new URL(start + header).host === new URL(url).host ? header : host;
}
