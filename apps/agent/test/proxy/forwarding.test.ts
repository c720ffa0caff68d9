import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes, sendRaw } from "@posthouse/testkit/raw-http";
import { describe, expect, it } from "vitest";
import { startProxy } from "./harness.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("forwarding", () => {
  it("keeps target, header order, case and repetition", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      host: { preserve_host: true },
    });
    const answer = await sendRaw(proxy.port, [
      "GET /a/../b//c?x=%zz&y HTTP/1.1",
      "X-Before: 1",
      "hOsT: shop.example:8000",
      "Cookie: a=1",
      "x-Twice: 1",
      "X-TWICE: 2",
    ]);
    expect(answer.body).toBe("ok");
    expect(backend.received).toMatch(
      /^GET \/a\/\.\.\/b\/\/c\?x=%zz&y HTTP\/1\.1\r\nX-Before: 1\r\nhOsT: shop\.example:8000\r\nCookie: a=1\r\nx-Twice: 1\r\nX-TWICE: 2\r\n/,
    );
    expect(backend.received).not.toMatch(/^connection:/im);
  });

  it("streams a chunked body with its trailers", async () => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const answer = await exchangeBytes(
      proxy.port,
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(backend.received).toMatch(/Transfer-Encoding: chunked\r\n/);
    expect(backend.received).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n$/);
  });

  it("tunnels an upgrade and passes on a refused one", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if (/^GET \/no /.test(received)) socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
      else if (received.endsWith("\r\n\r\n"))
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello ",
        );
      else if (received.endsWith("ping")) socket.end("pong");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    const ask = (path: string, rest: string): Promise<string> =>
      exchangeBytes(
        proxy.port,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n${rest}`,
      );
    const [, tunnelled] = (await ask("/yes", "ping")).split("\r\n\r\n");
    expect(tunnelled).toBe("hello pong");
    const refused = await ask("/no", "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(refused).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(refused).toMatch(/\r\n\r\nno$/);
    expect(backend.received).not.toContain("smuggled");
  });

  it("answers 502 when nobody listens and 504 when nobody answers", async () => {
    await using silent = await startRawBackend(() => {});
    await using nobody = await startProxy({ forward: "http://127.0.0.1:1" });
    await using slow = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${silent.port}`], timeouts: { first_byte: "200ms" } },
    });
    expect((await sendRaw(nobody.port, ["GET / HTTP/1.1", "Host: a"])).status).toBe(502);
    expect((await sendRaw(slow.port, ["GET / HTTP/1.1", "Host: a"])).status).toBe(504);
    expect(await slow.metrics()).toMatch(/posthouse_proxy_failures_total\{.*reason="timed_out"\} 1/);
  });

  it("refuses garbage from a backend", async () => {
    const odd = [
      "HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
      "HTTP/1.1 200 OK\r\n folded: 1\r\n\r\n",
      "HTTP/2 200 OK\r\n\r\n",
      "SSH-2.0-OpenSSH\r\n\r\n",
    ];
    for (const bytes of odd) {
      await using backend = await startRawBackend(({ socket }) => socket.end(bytes));
      await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
      expect((await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"])).status, bytes).toBe(502);
    }
  });

  it("sends a request again when a kept connection was closed meanwhile", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if ((received.match(/\r\n\r\n/g) ?? []).length > 1) socket.destroy();
      else socket.write(ok);
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    for (let round = 0; round < 3; round++)
      expect((await sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a"])).status).toBe(200);
    expect(backend.connections).toHaveLength(3);
  });
});
