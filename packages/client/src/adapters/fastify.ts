import { type AdapterOptions, createAdapter, type RuleSource } from "./adapter.ts";
import { type NodeRequest, readNodeRequest } from "./node.ts";

/** What is used of Fastify's reply. */
export interface FastifyReply {
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  send(body?: string): unknown;
}

export type FastifyHook = (
  request: { readonly raw: NodeRequest },
  reply: FastifyReply,
  done: () => void,
) => void;

/**
 * For `app.addHook("onRequest", …)`. Fastify refuses some targets before any hook (an escape that is no UTF-8 such as
 * `/caf%E9`, a parameter over its length limit): where such must be redirected, put `createNodeMiddleware` of
 * `@posthouse/client/node` before it with the option `serverFactory`.
 */
export function createFastifyHook(source: RuleSource, options: AdapterOptions = {}): FastifyHook {
  const answer = createAdapter(source, options, (find, request: NodeRequest, reply: FastifyReply) => {
    const found = find(...readNodeRequest(request));
    if (found === undefined) return undefined;
    reply.code(found.status);
    for (const [name, value] of found.headers) reply.header(name, value);
    if (found.body === "") reply.send();
    else reply.send(found.body);
    return true;
  });
  return (request, reply, done) => {
    if (answer(request.raw, reply) === undefined) done();
  };
}
