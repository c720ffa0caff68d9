import type { AdapterOptions, RuleSource } from "./adapter.ts";
import { createFetchHandler, type FetchRequest, type ReceivedRequest } from "./fetch.ts";
import { type NodeRequest, readNodeRequest } from "./node.ts";

/** What is read of Hono's context. */
export interface HonoContext {
  readonly req: { readonly raw: FetchRequest };
  readonly env: unknown;
}

export type HonoMiddleware = (
  context: HonoContext,
  next: () => Promise<void>,
) => Promise<Response | undefined>;

/**
 * For `app.use`. Under `@hono/node-server` rules are compared with what was received; elsewhere with the URL as
 * `createFetchHandler` of `@posthouse/client/fetch` describes.
 */
export function createHonoMiddleware(source: RuleSource, options: AdapterOptions = {}): HonoMiddleware {
  const answer = createFetchHandler(source, options);
  return async (context, next) => {
    const found = answer(context.req.raw, receivedBy(context.env));
    if (found === undefined) await next();
    return found;
  };
}

/** What `@hono/node-server` knows: it puts the request of `node:http` into the environment. */
function receivedBy(env: unknown): ReceivedRequest {
  const incoming = (env as { incoming?: Partial<NodeRequest> } | null | undefined)?.incoming;
  if (typeof incoming?.url !== "string" || typeof incoming.headers !== "object") return {};
  const [, target, host] = readNodeRequest(incoming as NodeRequest);
  return { target, host };
}
