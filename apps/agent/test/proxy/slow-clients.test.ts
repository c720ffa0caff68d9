/** Clients that send or take so slowly that they would hold a connection, and a backend's, for ever. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { parseAnswer, sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./harness.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const slow = { timeouts: { client: "700ms" }, min_body_rate: "1KiB" };

async function metric(proxy: ProxyHarness, series: string): Promise<number | undefined> {
  const line = (await proxy.metrics()).split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

/** Sends these pieces, so many ms apart, until the connection is closed; all that came back. */
function trickle(port: number, head: string, pieces: Iterable<string>, everyMs = 50): Promise<string> {
  return new Promise((resolve) => {
    const left = pieces[Symbol.iterator]();
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    let text = "";
    const timer = setInterval(() => {
      const { value, done } = left.next();
      if (done) clearInterval(timer);
      else if (!socket.destroyed) socket.write(value);
    }, everyMs);
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      clearInterval(timer);
      resolve(text);
    });
    socket.write(head);
  });
}

function* forEver(piece: string): Generator<string> {
  for (;;) yield piece;
}

describe("a request body that trickles in", () => {
  const heads = {
    "of a known length": ["Content-Length: 100000\r\n", "x"],
    chunked: ["Transfer-Encoding: chunked\r\n", "1\r\nx\r\n"],
  } as const;
  it.each(Object.entries(heads))("is cut with 408, %s", async (_, [framing, piece]) => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], ...slow },
    });
    const head = `POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n`;
    const answer = parseAnswer(await trickle(proxy.port, head, forEver(piece)));
    expect([answer.status, answer.header("connection")]).toEqual([408, "close"]);
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="client"}')).toBe(1);
    expect(await metric(proxy, 'posthouse_proxy_errors_total{site="*",status="408"}')).toBe(1);
    expect(await proxy.metrics()).not.toContain('posthouse_proxy_failures_total{site="*"');
    await until("the backend's connection is closed", async () =>
      backend.connections.every(({ socket }) => socket.destroyed),
    );
  });

  it("passes when it keeps the rate, though it takes longer than a silence may", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], ...slow },
    });
    const head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 9000\r\n\r\n";
    const pieces = Array.from({ length: 30 }, () => "x".repeat(300));
    expect(parseAnswer(await trickle(proxy.port, head, pieces)).status).toBe(200);
  });

  it("passes when there is no such limit", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    const forward = { upstreams: [`http://127.0.0.1:${backend.port}`], ...slow, min_body_rate: "0B" };
    await using proxy = await startProxy({ forward });
    const head = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 30\r\n\r\n";
    const answer = await trickle(
      proxy.port,
      head,
      Array.from({ length: 30 }, () => "x"),
    );
    expect(parseAnswer(answer).status).toBe(200);
  });
});

describe("limits of a forward, each counted by its key", () => {
  const head = "POST / HTTP/1.1\r\nHost: a\r\n";
  it.each<[string, string, number, Record<string, unknown>, string]>([
    [
      "first_byte",
      "no answer",
      504,
      { timeouts: { first_byte: "200ms" } },
      "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
    ["total", "no answer", 504, { timeouts: { total: "200ms" } }, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"],
    ["client", "no body", 408, { timeouts: { client: "200ms" } }, `${head}Content-Length: 9\r\n\r\nx`],
    ["max_body", "too large a body", 413, { max_body: "8B" }, `${head}Content-Length: 9\r\n\r\n123456789`],
  ])("%s: %s", async (limit, _, status, settings, bytes) => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], ...settings },
    });
    const socket = connect(proxy.port, "127.0.0.1").setEncoding("latin1");
    socket.on("error", () => {});
    socket.write(bytes);
    const [first] = await once(socket, "data");
    expect(parseAnswer(String(first)).status).toBe(status);
    expect(await metric(proxy, `posthouse_proxy_limits_total{site="*",limit="${limit}"}`)).toBe(1);
    socket.destroy();
  });

  it("total, while the client's body is awaited: no failure of the backend", async () => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts: { total: "200ms" } },
    });
    const answer = await sendRaw(proxy.port, ["POST / HTTP/1.1", "Host: a", "Content-Length: 9"]);
    expect(answer.status).toBe(408);
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="total"}')).toBe(1);
    expect(await proxy.metrics()).not.toContain('posthouse_proxy_failures_total{site="*"');
  });

  it("connect: a backend that does not shake hands", async () => {
    await using backend = await startRawBackend(() => {});
    const forward = { upstreams: [`https://127.0.0.1:${backend.port}`], timeouts: { connect: "200ms" } };
    await using proxy = await startProxy({ forward });
    expect((await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"])).status).toBe(504);
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="connect"}')).toBe(1);
  });

  it("idle: silence of the backend within an answer; waiting: no place in the queue", async () => {
    await using backend = await startRawBackend(({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
    });
    const forward = { timeouts: { idle: "300ms" }, connections: { max: 1, waiting: 0 } };
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], ...forward },
    });
    const first = sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"]).catch((error: Error) => error);
    await until("it has arrived", async () => backend.received !== "");
    expect((await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"])).status).toBe(503);
    await first;
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="waiting"}')).toBe(1);
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="idle"}')).toBe(1);
  });

  it("tunnel: silence of an upgraded connection", async () => {
    await using backend = await startRawBackend(({ socket }) => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    });
    const timeouts = { tunnel: "300ms" };
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts },
    });
    const socket = connect(proxy.port, "127.0.0.1");
    socket.resume().write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
    await once(socket, "close");
    expect(await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="tunnel"}')).toBe(1);
  });
});

describe("an answer that its client does not take", () => {
  const large = (bytes: number): string =>
    `HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${"x".repeat(bytes)}`;

  /** Asks, and takes nothing. */
  function ask(port: number): Socket {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    return socket;
  }

  it("is cut while the backend still has some of it", async () => {
    await using backend = await startRawBackend(answerWith(large(64 * 1024 * 1024)));
    const timeouts = { client: "500ms" };
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts },
    });
    const socket = ask(proxy.port);
    await until(
      "it is cut",
      async () => (await metric(proxy, 'posthouse_proxy_limits_total{site="*",limit="client"}')) === 1,
    );
    socket.destroy();
  });

  it("is cut when all the rest of it waits here", async () => {
    // What the system's buffers hold is taken, as far as a server can tell: more is asked for than they hold.
    const pages = 800;
    await using backend = await startRawBackend(answerWith(large(16 * 1024)));
    const site = { limits: { read_time: "500ms" } };
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const socket = connect(proxy.port, "127.0.0.1");
    socket.on("error", () => {});
    socket.pause();
    const closed = once(socket, "close");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(pages));
    await until("it is cut", async () => /reason="slow_reader"\} 1\n/.test(await proxy.metrics()));
    await until("it is closed", async () =>
      /posthouse_http_open_connections\{listener="site [^}]*\} 0\n/.test(await proxy.metrics()),
    );
    socket.destroy();
    await closed;
  });
});
