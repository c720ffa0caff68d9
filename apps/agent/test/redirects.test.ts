import type { Page } from "@posthouse/protocol";
import { exchangeBytes, sendRaw } from "@posthouse/testkit/raw-http";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { basic, type Harness, startHarness } from "./harness.ts";

const robots: Page = {
  type: "BASIC",
  path: "/robots.txt",
  content: "User-agent: é\n",
  contentType: "TEXT_PLAIN",
};

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness(
    [
      basic("/old", "/new?a=1&b", "MOVED_PERMANENT"),
      basic("/relative/page", "other"),
      {
        type: "BASIC_HOST",
        source: "a.example:8443/x",
        target: "https://b.example/y",
        status: "PERMANENT_REDIRECT",
      },
      { type: "REGEX", source: "^/product/([0-9]+)$", target: "/item/$1", status: "TEMPORARY_REDIRECT" },
    ],
    { hosts: [{ match: ["a.example", "*.wild.example"], project: "shop" }] },
  );
  harness.manager.pages = [robots];
  harness.manager.version++;
  await vi.waitFor(async () => expect((await send("GET /robots.txt")).status).toBe(200), 10_000);
});
afterAll(() => harness[Symbol.asyncDispose]());

const send = (line: string, host = "a.example") =>
  sendRaw(harness.sitePort, [`${line} HTTP/1.1`, `Host: ${host}`]);

describe("redirects over a socket", () => {
  it("answers as Flecto does, header by header", async () => {
    const answer = await send("GET /old");
    expect(answer.status).toBe(301);
    const names = answer.headers.map(([name]) => name);
    expect(names).toEqual(["Location", "Content-Type", "Content-Length", "Date", "Connection"]);
    expect(answer.header("location")).toBe("/new?a=1&b");
    expect(answer.header("content-type")).toBe("text/html; charset=utf-8");
    expect(answer.body).toBe('<a href="/new?a=1&amp;b">Moved Permanently</a>.\n\n');
    expect(answer.header("content-length")).toBe(String(answer.body.length));
  });

  it("answers HEAD without a body, others without a body and with length 0", async () => {
    const head = await send("HEAD /old");
    expect([head.status, head.body, head.header("location")]).toEqual([301, "", "/new?a=1&b"]);
    const post = await send("POST /old");
    expect([post.status, post.body, post.header("content-length"), post.header("content-type")]).toEqual([
      301,
      "",
      "0",
      undefined,
    ]);
  });

  it("matches regexes, hosts with their port, and targets relative to the request", async () => {
    expect((await send("GET /product/7")).header("location")).toBe("/item/7");
    expect((await send("GET /relative/page")).header("location")).toBe("/relative/other");
    expect((await send("GET /x", "a.example:8443")).header("location")).toBe("https://b.example/y");
    expect((await send("GET /x")).status).toBe(404);
  });

  it("takes the host of an absolute target before the Host header", async () => {
    expect((await send("GET http://a.example:8443/x", "other.example")).status).toBe(308);
    expect((await send("GET http://other.example/old")).status).toBe(404);
  });

  it("keeps the query in the key", async () => {
    expect((await send("GET /old?")).status).toBe(404);
  });
});

describe("pages over a socket", () => {
  it("answers any method with the bytes of the page, HEAD with their length only", async () => {
    const bytes = String(Buffer.byteLength(robots.content));
    const page = await send("GET /robots.txt");
    expect([page.status, page.header("content-type"), page.header("content-length")]).toEqual([
      200,
      "text/plain",
      bytes,
    ]);
    expect(Buffer.from(page.body, "latin1").toString("utf8")).toBe(robots.content);
    const head = await send("HEAD /robots.txt");
    expect([head.status, head.header("content-length"), head.body]).toEqual([200, bytes, ""]);
    expect((await send("POST /robots.txt")).body).toBe(page.body);
  });
});

describe("a page that the client has", () => {
  const ask = (line: string, known: string) =>
    sendRaw(harness.sitePort, [`${line} HTTP/1.1`, "Host: a.example", `If-None-Match: ${known}`]);

  it("is answered with 304, without body, type and length", async () => {
    const tag = (await send("GET /robots.txt")).header("etag") ?? "";
    expect(tag).toMatch(/^"[0-9a-f]{32}"$/);
    expect((await send("HEAD /robots.txt")).header("etag")).toBe(tag);
    for (const line of ["GET /robots.txt", "HEAD /robots.txt"]) {
      const answer = await ask(line, `"old", ${tag}`);
      expect([answer.status, answer.header("etag"), answer.body]).toEqual([304, tag, ""]);
      expect([answer.header("content-length"), answer.header("content-type")]).toEqual([
        undefined,
        undefined,
      ]);
    }
    expect((await ask("GET /robots.txt", '"old"')).status).toBe(200);
    expect((await ask("POST /robots.txt", tag)).status).toBe(200);
    expect((await ask("GET /old", tag)).status).toBe(301);
  });

  it("gets the next request on the same connection right", async () => {
    const tag = (await send("GET /robots.txt")).header("etag");
    const first = `GET /robots.txt HTTP/1.1\r\nHost: a.example\r\nIf-None-Match: ${tag}\r\n\r\n`;
    const second = "GET /old HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n";
    const text = await exchangeBytes(harness.sitePort, first + second);
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 304", "HTTP/1.1 301"]);
  });
});

describe("routing", () => {
  it("answers 404 in plain text without a rule and without a project", async () => {
    for (const answer of [await send("GET /nothing"), await send("GET /old", "unknown.example")]) {
      expect([answer.status, answer.header("content-type")]).toEqual([404, "text/plain; charset=utf-8"]);
      expect(answer.body).toBe("not found\n");
    }
    expect((await send("HEAD /nothing")).body).toBe("");
  });

  it("finds hosts by suffix", async () => {
    expect((await send("GET /old", "deep.WILD.example:80")).status).toBe(301);
    expect((await send("GET /old", "wild.example")).status).toBe(404);
  });

  it.each([
    ["OPTIONS *", 200],
    ["GET *", 400],
    ["GET http:///old", 301],
    ["GET /%zz", 400],
  ])("%s -> %i", async (line, status) => expect((await send(line)).status).toBe(status));

  it("counts by project and result", async () => {
    const text = await (await fetch(`http://127.0.0.1:${harness.adminPort}/metrics`)).text();
    expect(text).toMatch(/posthouse_redirects_requests_total\{project="shop",result="301"\} [1-9]/);
    expect(text).toMatch(/posthouse_redirects_requests_total\{project="shop",result="page"\} [1-9]/);
    expect(text).toMatch(/posthouse_redirects_requests_total\{project="shop",result="none"\} [1-9]/);
  });
});
