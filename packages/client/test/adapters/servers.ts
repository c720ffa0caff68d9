import { createServer as createNodeServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import type { AdapterOptions, RuleSource } from "../../src/adapters/adapter.ts";
import { createExpressMiddleware } from "../../src/adapters/express.ts";
import { createFastifyHook } from "../../src/adapters/fastify.ts";
import { createFetchHandler } from "../../src/adapters/fetch.ts";
import { createHonoMiddleware } from "../../src/adapters/hono.ts";
import { createNodeMiddleware } from "../../src/adapters/node.ts";

/**
 * A site behind each adapter. It answers every request that reaches it: `/echo` with the body, others with
 * `site METHOD`. Below `/mounted` lies an application of its own (`mounted METHOD`) with an adapter of its own.
 */
export interface SiteOptions extends AdapterOptions {
  readonly source: RuleSource;
  /** The rules of the mounted application. */
  readonly mounted: RuleSource;
}

export interface Site {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(server: Server): Promise<Site> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const isMounted = (path: string): boolean => path === "/mounted" || path.startsWith("/mounted/");

function startNode({ source, mounted, ...options }: SiteOptions): Promise<Site> {
  const outer = createNodeMiddleware(source, options);
  const inner = createNodeMiddleware(mounted, options);
  const server = createNodeServer((request, response) => {
    outer(request, response, () => {
      const url = request.url ?? "";
      if (url === "/echo") request.pipe(response);
      else if (!isMounted(url)) response.end(`site ${request.method}`);
      else {
        // As Connect does for what is mounted.
        const cut = Object.assign(request, { originalUrl: url, url: url.slice("/mounted".length) });
        inner(cut, response, () => response.end(`mounted ${request.method}`));
      }
    });
  });
  return listen(server);
}

function startExpress({ source, mounted, ...options }: SiteOptions): Promise<Site> {
  const inner = express();
  inner.use(createExpressMiddleware(mounted, options));
  inner.use((request, response) => void response.end(`mounted ${request.method}`));
  const app = express();
  app.use(createExpressMiddleware(source, options));
  app.use("/mounted", inner);
  app.post("/echo", (request, response) => void request.pipe(response));
  app.use((request, response) => void response.end(`site ${request.method}`));
  return listen(createNodeServer(app));
}

async function startFastify({ source, mounted, ...options }: SiteOptions): Promise<Site> {
  const app = fastify();
  app.addHook("onRequest", createFastifyHook(source, options));
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
  app.post("/echo", (request, reply) => reply.send(request.body));
  app.register(
    async (inner) => {
      inner.addHook("onRequest", createFastifyHook(mounted, options));
      inner.all("/*", (request) => `mounted ${request.method}`);
    },
    { prefix: "/mounted" },
  );
  app.setNotFoundHandler((request, reply) => reply.code(200).send(`site ${request.method}`));
  await app.listen({ port: 0, host: "127.0.0.1" });
  return {
    port: (app.server.address() as AddressInfo).port,
    async close() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

function startHono({ source, mounted, ...options }: SiteOptions): Promise<Site> {
  const inner = new Hono();
  inner.use(createHonoMiddleware(mounted, options));
  inner.all("*", (context) => context.text(`mounted ${context.req.method}`));
  const app = new Hono();
  app.use(createHonoMiddleware(source, options));
  app.route("/mounted", inner);
  app.post("/echo", (context) => new Response(context.req.raw.body));
  app.all("*", (context) => context.text(`site ${context.req.method}`));
  return listen(createAdaptorServer({ fetch: app.fetch }) as Server);
}

/** A fetch-style server that tells its handler what it received. */
function startFetch({ source, mounted, ...options }: SiteOptions): Promise<Site> {
  const outer = createFetchHandler(source, options);
  const inner = createFetchHandler(mounted, options);
  const fetch = (request: Request, { incoming }: HttpBindings): Response => {
    const received = { target: incoming.url, host: incoming.headers.host };
    const answer = outer(request, received);
    if (answer !== undefined) return answer;
    const { pathname } = new URL(request.url);
    if (pathname === "/echo") return new Response(request.body);
    if (!isMounted(pathname)) return new Response(`site ${request.method}`);
    const cut = new Request(request.url.replace("/mounted", ""), { method: request.method });
    return inner(cut, received) ?? new Response(`mounted ${request.method}`);
  };
  return listen(createAdaptorServer({ fetch: fetch as never }) as Server);
}

export const servers: Readonly<Record<string, (options: SiteOptions) => Promise<Site>>> = {
  "node:http": startNode,
  Express: startExpress,
  Fastify: startFastify,
  Hono: startHono,
  "a fetch-style server": startFetch,
};
