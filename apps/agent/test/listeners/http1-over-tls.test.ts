import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../proxy/harness.ts";
import { exchangeOn, handshake, makeTlsFolder, noOpenssl, type TlsFolder } from "./harness.ts";

const ok = answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const closing = "Connection: close\r\n\r\n";

describe.skipIf(noOpenssl !== undefined)("HTTP/1.1 over TLS", () => {
  let files: TlsFolder;
  let site: { tls: object };
  beforeAll(async () => {
    files = await makeTlsFolder();
    site = { tls: { certificates: [files.authority.issue({ file: "a", names: ["DNS:a.example"] })] } };
  });
  afterAll(() => files[Symbol.asyncDispose]());
  const seen = (socket: TLSSocket, wanted: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      let text = "";
      socket.on("data", (chunk: Buffer) => {
        text += chunk.toString("latin1");
        if (wanted.test(text)) resolve(text);
      });
      socket.on("close", () => reject(new Error(`closed after ${JSON.stringify(text)}`)));
    });

  it("tunnels a WebSocket, with bytes that came early on both sides", async () => {
    await using backend = await startRawBackend(({ socket, received }) => {
      if (received.endsWith("\r\n\r\n"))
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello",
        );
      else if (received.endsWith("earlyping")) socket.end("pong");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const socket = await handshake(proxy.port, { ALPNProtocols: ["http/1.1"] });
    const first = seen(socket, /hello$/);
    socket.write(
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
    );
    expect(await first).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(await exchangeOn(socket, "ping")).toBe("pong");
    expect(backend.received).toContain("X-Forwarded-Proto: https\r\n");
  });

  it("serves many requests on one connection, pipelined ones in order", async () => {
    await using backend = await startRawBackend(ok);
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const socket = await handshake(proxy.port);
    const requests = Array.from({ length: 10 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const text = await exchangeOn(socket, `${requests.join("")}GET /last HTTP/1.1\r\nHost: a\r\n${closing}`);
    expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(11);
    expect(text.endsWith("ok")).toBe(true);
  });

  it.each([
    [
      "both lengths",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a space before a colon", "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    ["headers that are too large", `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`, 431],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 405],
    ["HTTP/2 without its agreement", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ])("refuses %s, and closes", async (_, bytes, status) => {
    await using backend = await startRawBackend(ok);
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const text = await exchangeOn(await handshake(proxy.port), bytes);
    expect(text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(backend.received).toBe("");
  });

  it("lets a client end its side of a tunnel and hear the rest", async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", () =>
        socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"),
      );
      socket.on("end", () => setTimeout(() => socket.end("last words"), 100));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await using proxy = await startProxy({ forward: `http://127.0.0.1:${port}`, site });
      const socket = await handshake(proxy.port);
      const first = seen(socket, /\r\n\r\n$/);
      socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
      await first;
      const rest = exchangeOn(socket, "bye");
      socket.end();
      expect(await rest).toBe("last words");
    } finally {
      server.close();
    }
  });

  it("cuts an answer whose end never came, so that it is not taken for whole", async () => {
    await using backend = await startRawBackend(({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", () =>
        socket.destroy(),
      );
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const text = await exchangeOn(await handshake(proxy.port), `GET / HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(text).not.toContain("\r\n0\r\n");
  });

  it("finishes what is running when it stops, and closes idle connections", async () => {
    let finish: (() => void) | undefined;
    await using backend = await startRawBackend(({ socket }) => {
      finish = () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    const idle = await handshake(proxy.port);
    idle.resume();
    const idleClosed = once(idle, "close");
    const socket = await handshake(proxy.port);
    const answer = exchangeOn(socket, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await until("the backend has the request", async () => finish !== undefined);
    const stopped = proxy.agent.stop(10_000);
    await idleClosed;
    finish?.();
    expect(await answer).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*Connection: close[\s\S]*ok$/);
    await stopped;
  });

  it("leaves no connection behind after clients that vanish at each stage", async () => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, site });
    for (const ALPNProtocols of [["http/1.1"], ["h2"]]) {
      for (const bytes of ["", "GET", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"]) {
        const socket = await handshake(proxy.port, { ALPNProtocols });
        socket.on("error", () => {});
        if (bytes !== "") await new Promise((resolve) => socket.write(bytes, resolve));
        socket.destroy();
      }
    }
    await until("all are closed", async () =>
      /open_connections\{listener="site[^"]*"\} 0/.test(await proxy.metrics()),
    );
  });
});
