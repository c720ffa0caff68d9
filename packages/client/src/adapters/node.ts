import { type AdapterOptions, createAdapter, type RuleSource } from "./adapter.ts";

/** What is read of a request of `node:http` or `node:http2`, bare or as Express and its like pass it on. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** The target as received, where a router has cut `url` for a mounted application. */
  readonly originalUrl?: string | undefined;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
}

export interface NodeResponse {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

export type NodeMiddleware = (request: NodeRequest, response: NodeResponse, next: () => void) => void;

/** For servers of `node:http` and `node:http2`, and any framework that takes `(request, response, next)`. */
export function createNodeMiddleware(source: RuleSource, options: AdapterOptions = {}): NodeMiddleware {
  const answer = createAdapter(source, options, (find, request: NodeRequest, response: NodeResponse) => {
    const found = response.headersSent ? undefined : find(...readNodeRequest(request));
    if (found === undefined) return undefined;
    response.statusCode = found.status;
    for (const [name, value] of found.headers) response.setHeader(name, value);
    response.end(found.body);
    return true;
  });
  return (request, response, next) => {
    if (answer(request, response) === undefined) next();
  };
}

/** Method, target, Host and If-None-Match as they were received. */
export function readNodeRequest(
  request: NodeRequest,
): [method: string, target: string, host: string, ifNoneMatch: string | undefined] {
  const host = request.headers.host ?? request.headers[":authority"];
  const target = request.originalUrl ?? request.url ?? "";
  const tag = request.headers["if-none-match"];
  return [
    request.method ?? "GET",
    target,
    typeof host === "string" ? host : "",
    typeof tag === "string" ? tag : undefined,
  ];
}
