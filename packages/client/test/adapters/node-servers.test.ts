import { createServer as createNodeServer } from "node:http";
import { type ClientHttp2Stream, connect, createServer, type IncomingHttpHeaders } from "node:http2";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { RedirectItem } from "@posthouse/protocol";
import { compileRules } from "@posthouse/rules";
import fastify from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { createFastifyHook } from "../../src/adapters/fastify.ts";
import { createNodeMiddleware } from "../../src/adapters/node.ts";
import { bodyOf, send } from "./requests.ts";

const redirect = (type: RedirectItem["type"], source: string, target: string): RedirectItem => {
  return { id: 1, kind: "redirect", type, source, target, status: "FOUND" };
};

it("HTTP/2 has its host from :authority", async () => {
  const source = { ruleSet: compileRules([redirect("BASIC_HOST", "Shop.example:1/old", "https://h/new")]) };
  const middleware = createNodeMiddleware(source);
  const server = createServer((request, response) => {
    middleware(request, response, () => response.end("site"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  onTestFinished(() => {
    session.close();
    server.close();
  });
  const ask = async (path: string): Promise<[IncomingHttpHeaders, string]> => {
    const stream: ClientHttp2Stream = session.request({ ":path": path, ":authority": "Shop.example:1" });
    const headers = new Promise<IncomingHttpHeaders>((resolve) => stream.on("response", resolve));
    return [await headers, await text(stream)];
  };
  const [answer, body] = await ask("/old");
  expect(answer).toMatchObject({ ":status": 302, location: "https://h/new" });
  expect(body).toBe('<a href="https://h/new">Found</a>.\n\n');
  expect((await ask("/other"))[1]).toBe("site");
});

it("Fastify's own rewriting of URLs comes after the rules", async () => {
  const source = { ruleSet: compileRules([redirect("BASIC", "/old", "/new")]) };
  const app = fastify({ rewriteUrl: (request) => (request.url === "/x" ? "/old" : "/rewritten") });
  app.addHook("onRequest", createFastifyHook(source));
  app.get("/*", (request) => `site ${request.url}`);
  await app.listen({ port: 0, host: "127.0.0.1" });
  onTestFinished(() => app.close());
  const { port } = app.server.address() as AddressInfo;
  expect((await send(port, "GET /old")).header("location")).toBe("/new");
  expect(bodyOf(await send(port, "GET /x"))).toBe("site /old");
});

it("Fastify refuses some targets before its hooks, unless node:http is asked first", async () => {
  const long = `/${"a".repeat(300)}`;
  const items = [redirect("BASIC", "/caf%E9", "/coffee"), { ...redirect("BASIC", long, "/short"), id: 2 }];
  const source = { ruleSet: compileRules(items) };
  const middleware = createNodeMiddleware(source);
  const start = async (isFirst: boolean): Promise<number> => {
    const app = fastify(
      isFirst
        ? { serverFactory: (site) => createNodeServer((q, s) => middleware(q, s, () => site(q, s))) }
        : {},
    );
    if (!isFirst) app.addHook("onRequest", createFastifyHook(source));
    app.get("/:name", () => "site");
    await app.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => app.close());
    return (app.server.address() as AddressInfo).port;
  };
  const behind = await start(false);
  expect((await send(behind, "GET /caf%E9")).status).toBe(400);
  expect((await send(behind, `GET ${long}`)).header("location")).toBeUndefined();
  const port = await start(true);
  expect((await send(port, `GET ${long}`)).header("location")).toBe("/short");
  expect((await send(port, "GET /caf%E9")).header("location")).toBe("/coffee");
  expect(bodyOf(await send(port, "GET /tea"))).toBe("site");
});

it.each([
  [undefined, "/evil.example"],
  ["flecto" as const, "//evil.example"],
])("the answer is formed in the mode of the rules: %s", async (compat, location) => {
  const source = { ruleSet: compileRules([redirect("REGEX", "^/(.*)/$", "/$1")], { compat }) };
  const middleware = createNodeMiddleware(source);
  const server = createNodeServer((request, response) => middleware(request, response, () => response.end()));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  expect((await send(port, "GET //evil.example/")).header("location")).toBe(location);
});
