import { createLog } from "@posthouse/service";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { exchangeBytes, parseAnswer, sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMetrics } from "../src/core/metrics.ts";
import { answerText, headerValue } from "../src/http/exchange.ts";
import { createHttpCounters } from "../src/http/http-metrics.ts";
import { createNode1Server, type HttpServer } from "../src/http/node1.ts";

const log = createLog({ format: "json", level: "silent" });
const metrics = createMetrics();
const counters = createHttpCounters(metrics)("test");

const create = (port = 0): HttpServer =>
  createNode1Server({
    name: "test",
    listen: { host: "127.0.0.1", port },
    role: {
      handler: {
        handle(exchange) {
          if (exchange.target === "/throws") throw new Error("planted");
          answerText(
            exchange,
            200,
            JSON.stringify([exchange.authority, exchange.target, headerValue(exchange, "x-a")]),
          );
        },
      },
      counters,
    },
    log,
  });

const server = create();
const port = (): number => server.address?.port ?? 0;
beforeAll(() => server.start());
afterAll(() => server.stop(1000));

describe("Host header", () => {
  it.each([
    ["HTTP/1.1 without Host", ["GET / HTTP/1.1"], 400],
    ["two Host headers", ["GET / HTTP/1.1", "Host: a", "Host: b"], 400],
    ["two equal Host headers", ["GET / HTTP/1.1", "Host: a", "hOST: a"], 400],
    ["an empty Host", ["GET / HTTP/1.1", "Host:"], 400],
    ["a Host with a space", ["GET / HTTP/1.1", "Host: a b"], 400],
    ["a Host with a path", ["GET / HTTP/1.1", "Host: a/b"], 400],
    ["a Host with a user", ["GET / HTTP/1.1", "Host: me@a"], 400],
    ["a Host with raw UTF-8", ["GET / HTTP/1.1", "Host: caf\u00c3\u00a9"], 400],
    ["a Host with a bad port", ["GET / HTTP/1.1", "Host: a:http"], 400],
    ["two Hosts beside an absolute target", ["GET http://a/ HTTP/1.1", "Host: a", "Host: a"], 400],
    ["HTTP/1.0 with two Hosts", ["GET / HTTP/1.0", "Host: a", "Host: b"], 400],
    ["a space before the colon", ["GET / HTTP/1.1", "Host : a"], 400],
    ["a name", ["GET / HTTP/1.1", "Host: a.example"], 200],
    ["a name in capitals with a port", ["GET / HTTP/1.1", "HOST:   A.Example:8000  "], 200],
    ["an IPv6 address", ["GET / HTTP/1.1", "Host: [::1]:8000"], 200],
    ["HTTP/1.0 without Host", ["GET / HTTP/1.0"], 200],
  ])("%s", async (_, head, status) => {
    expect((await sendRaw(port(), head)).status).toBe(status);
  });

  it("closes the connection after a refusal, whatever else was sent on it", async () => {
    const text = await exchangeBytes(port(), "GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(parseAnswer(text).header("connection")).toBe("close");
  });

  it("hands over target and authority as they were sent", async () => {
    const head = ["GET /%7Ea//../b?x=%zz&| HTTP/1.1", "Host: A.Example:80", "X-A: 1", "x-a: 2"];
    expect((await sendRaw(port(), head)).body).toBe('["A.Example:80","/%7Ea//../b?x=%zz&|","1"]');
  });
});

describe("bad requests", () => {
  it.each([
    ["no HTTP", "hello\r\n\r\n", 400],
    ["a raw non-ASCII target", "GET /\u00c3\u00a9 HTTP/1.1\r\nHost: a\r\n\r\n", 400],
    ["two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400],
    [
      "length and chunks",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["too many header bytes", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
  ])("%s", async (_, bytes, status) => {
    const answer = parseAnswer(await exchangeBytes(port(), bytes));
    expect([answer.status, answer.header("connection")]).toEqual([status, "close"]);
  });

  it("answers 500 when a handler throws, and goes on", async () => {
    expect((await sendRaw(port(), ["GET /throws HTTP/1.1", "Host: a"])).status).toBe(500);
    expect((await sendRaw(port(), ["GET / HTTP/1.1", "Host: a"])).status).toBe(200);
  });

  it("answers on one connection again and again, with bodies in between", async () => {
    const post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    const get = "GET /g HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const text = await exchangeBytes(port(), post + post + get);
    expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(3);
  });

  it("ends the connection rather than read a large body that nobody wants", async () => {
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n";
    expect(parseAnswer(await exchangeBytes(port(), head)).header("connection")).toBe("close");
  });

  it("counts what it refuses", async () => {
    const noneOpen = async (): Promise<boolean> =>
      /open_connections\{listener="test"\} 0\n/.test(await metrics.text());
    await until("all connections are closed", noneOpen);
    const text = await metrics.text();
    expect(text).toMatch(/posthouse_http_refused_total\{listener="test",reason="host"\} [1-9]/);
    expect(text).toMatch(/posthouse_http_refused_total\{listener="test",reason="too_large"\} 1\n/);
    expect(text).toMatch(/posthouse_http_failed_total\{listener="test"\} 1\n/);
  });
});

describeLifecycle({
  name: "an HTTP server",
  create: () => ({ part: create() }),
  async createFailing() {
    const other = create();
    await other.start();
    return {
      part: create(other.address?.port),
      repair: () => other.stop(1000),
      cleanUp: () => other.stop(1000),
    };
  },
});
