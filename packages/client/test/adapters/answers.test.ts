import type { PageItem, RedirectItem } from "@posthouse/protocol";
import { compileRules } from "@posthouse/rules";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Client, createClient } from "../../src/index.ts";
import { type FakeManager, startFakeManager } from "../fake-manager.ts";
import { bodyOf, send } from "./requests.ts";
import { type Site, servers } from "./servers.ts";

type Rule = readonly [RedirectItem["type"], source: string, target: string, RedirectItem["status"]?];

const rules: readonly Rule[] = [
  ["BASIC", "/old", "/new", "MOVED_PERMANENT"],
  ["BASIC", "/old?b=2&a=%20", "/with-query"],
  ["BASIC", "/bare?", "/bare-mark"],
  ["BASIC", "//two/slashes", "/slashes"],
  ["BASIC", "/a/../b", "/dots"],
  ["BASIC", "/pipe%7C%22%C3%A9", "/encoded"],
  ["BASIC", "/%7Eme", "/tilde"],
  ["BASIC", "/far", "https://new.example/caf\u00e9 1?q=1#top", "TEMPORARY_REDIRECT"],
  ["BASIC_HOST", "Shop.example.com:8080/host", "https://new.example/host"],
  ["BASIC_HOST", "absolute.example:81/there", "/absolute"],
  ["REGEX", "^/blog/(\\d+)/([a-z-]+)(\\?.*)?$", "/articles/$2-$1$3", "PERMANENT_REDIRECT"],
  ["REGEX", "^/away/(.*)/$", "/$1"],
  ["REGEX_HOST", "^([a-z]+)\\.example\\.com(:\\d+)?/who$", "/is/$1"],
];
const robots = "User-agent: *\nDisallow: /caf\u00e9\n";
const pages: readonly Omit<PageItem, "id" | "kind">[] = [
  { type: "BASIC", path: "/robots.txt", content: robots, contentType: "TEXT_PLAIN" },
  { type: "BASIC_HOST", path: "shop.example.com/map.xml", content: "<a/>", contentType: "XML" },
  { type: "BASIC", path: "/empty.txt", content: "", contentType: "TEXT_PLAIN" },
];

interface Case {
  readonly name: string;
  readonly request: string;
  /** Default: `Host: example.com`. */
  readonly host?: string;
  readonly status?: number;
  readonly location?: string;
  /** Other headers; undefined: not there. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  /** Servers whose router answers 400 before any adapter is asked. */
  readonly refusedBy?: readonly string[];
}

const html = "text/html; charset=utf-8";
const site = { status: 200, body: "site GET" };
const redirected = (location: string, status = 302): Partial<Case> => ({ status, location });

const cases: readonly Case[] = [
  {
    name: "an exact redirect, with a page for those who see it",
    request: "GET /old",
    ...redirected("/new", 301),
    headers: { "content-type": html },
    body: '<a href="/new">Moved Permanently</a>.\n\n',
  },
  {
    name: "an exact redirect asked for with HEAD",
    request: "HEAD /old",
    ...redirected("/new", 301),
    headers: { "content-type": html },
    body: "",
  },
  {
    name: "an exact redirect asked for with POST",
    request: "POST /old",
    ...redirected("/new", 301),
    headers: { "content-type": undefined },
    body: "",
  },
  { name: "a query that is part of the rule", request: "GET /old?b=2&a=%20", ...redirected("/with-query") },
  { name: "a query in another order", request: "GET /old?a=%20&b=2", ...site },
  { name: "a question mark alone", request: "GET /bare?", ...redirected("/bare-mark") },
  { name: "the same without the question mark", request: "GET /bare", ...site },
  {
    name: "captures, the query among them",
    request: "GET /blog/42/hello-world?utm=1",
    ...redirected("/articles/hello-world-42?utm=1", 308),
  },
  {
    name: "a target with bytes that a header cannot carry",
    request: "GET /far",
    ...redirected("https://new.example/caf%c3%a9 1?q=1#top", 307),
  },
  {
    name: "a host with its port and its letters as sent",
    request: "GET /host",
    host: "Shop.example.com:8080",
    ...redirected("https://new.example/host"),
  },
  { name: "a host with other letters", request: "GET /host", host: "shop.example.com:8080", ...site },
  { name: "a host with another port", request: "GET /host", host: "Shop.example.com:8081", ...site },
  { name: "a host by pattern", request: "GET /who", host: "shop.example.com:99", ...redirected("/is/shop") },
  {
    name: "a page",
    request: "GET /robots.txt",
    status: 200,
    headers: { "content-type": "text/plain", "content-length": String(Buffer.byteLength(robots)) },
    body: robots,
  },
  {
    name: "a page asked for with HEAD",
    request: "HEAD /robots.txt",
    status: 200,
    headers: { "content-type": "text/plain", "content-length": String(Buffer.byteLength(robots)) },
    body: "",
  },
  { name: "a page asked for with POST", request: "POST /robots.txt", status: 200, body: robots },
  {
    name: "a page of a host",
    request: "GET /map.xml",
    host: "shop.example.com",
    status: 200,
    headers: { "content-type": "application/xml" },
    body: "<a/>",
  },
  {
    name: "an empty page",
    request: "GET /empty.txt",
    status: 200,
    headers: { "content-type": "text/plain" },
    body: "",
  },
  { name: "a page of another host", request: "GET /map.xml", ...site },
  { name: "a target that begins with two slashes", request: "GET //two/slashes", ...redirected("/slashes") },
  { name: "the same with one slash", request: "GET /two/slashes", ...site },
  { name: "dot segments as they are", request: "GET /a/../b", ...redirected("/dots") },
  { name: "the path that dot segments lead to", request: "GET /b", ...site },
  {
    name: "a path with characters that are none of a path",
    request: 'GET /pipe|"%c3%a9',
    ...redirected("/encoded"),
  },
  { name: "an escape that is not needed", request: "GET /%7Eme", ...redirected("/tilde") },
  { name: "an escape that is none", request: "GET /%zz", ...site, refusedBy: ["Fastify"] },
  { name: "bytes that are no ASCII", request: "GET /caf\u00e9", status: 400 },
  {
    name: "a target in absolute form, whose host counts",
    request: "GET http://absolute.example:81/there",
    ...redirected("/absolute"),
  },
  {
    name: "a target in absolute form, whose host is another",
    request: "GET http://example.com/there",
    host: "absolute.example:81",
    ...site,
  },
  {
    name: "a path that would make a Location of another site",
    request: "GET /away//evil.example/",
    ...redirected("/evil.example"),
  },
  { name: "a miss", request: "GET /nothing", ...site },
  { name: "a miss with another method", request: "DELETE /nothing", status: 200, body: "site DELETE" },
  {
    name: "a mounted application, whose rules see the whole target",
    request: "GET /mounted/old",
    ...redirected("/mounted/new"),
  },
  { name: "a miss in a mounted application", request: "GET /mounted/x", status: 200, body: "mounted GET" },
];

const items = [
  ...rules.map(([type, source, target, status = "FOUND"], index): RedirectItem => {
    return { id: index + 1, kind: "redirect", type, source, target, status };
  }),
  ...pages.map((page, index): PageItem => ({ id: 1000 + index, kind: "page", ...page })),
];
const mounted = {
  ruleSet: compileRules(
    ["/old", "/mounted/old"].map((source, index): RedirectItem => {
      const target = ["/wrong", "/mounted/new"][index] ?? "";
      return { id: index + 1, kind: "redirect", type: "BASIC", source, target, status: "FOUND" };
    }),
  ),
};

describe.each(Object.entries(servers))("in %s", (server, start) => {
  let manager: FakeManager;
  let client: Client;
  let running: Site;
  const failures: unknown[] = [];

  beforeAll(async () => {
    manager = await startFakeManager();
    manager.publish(items);
    client = createClient({
      manager: { url: manager.url, namespace: "test", project: "shop", token: "secret" },
      agent: { name: "embedded" },
      push: false,
    });
    await client.start();
    await client.ready();
    running = await start({ source: client, mounted, onError: (error) => failures.push(error) });
  });
  afterAll(async () => {
    await running.close();
    await client.stop();
    await manager.close();
  });

  it("has all rules", () => {
    expect(client.status).toMatchObject({ redirects: rules.length, pages: pages.length });
  });

  it.each(cases.map((one) => [one.name, one] as const))("%s", async (_name, one) => {
    const answer = await send(running.port, one.request, one.host);
    if (one.refusedBy?.includes(server)) {
      expect(answer.status).toBe(400);
      return;
    }
    expect(answer.status).toBe(one.status);
    expect(answer.header("location")).toBe(one.location);
    for (const [name, value] of Object.entries(one.headers ?? {}))
      expect(answer.header(name), name).toBe(value);
    if (one.body !== undefined) expect(bodyOf(answer)).toBe(one.body);
  });

  it("answers 304 where the visitor has the page already", async () => {
    const ask = (tag: string) =>
      fetch(`http://127.0.0.1:${running.port}/robots.txt`, { headers: { "if-none-match": tag } });
    const first = await ask('"other"');
    expect([first.status, await first.text()]).toEqual([200, robots]);
    const again = await ask(first.headers.get("etag") ?? "");
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  it("goes on after all of that, and serves what is published later", async () => {
    const item = { id: 5000, kind: "redirect", type: "BASIC", source: "/late", status: "FOUND" } as const;
    expect(bodyOf(await send(running.port, "GET /late"))).toBe("site GET");
    manager.publish([...items, { ...item, target: "/in-time" }]);
    await client.checkNow();
    expect((await send(running.port, "GET /late")).header("location")).toBe("/in-time");
    expect(failures).toEqual([]);
  });
});
