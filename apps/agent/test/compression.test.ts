import { connect } from "node:net";
import { brotliDecompressSync, createGunzip, gunzipSync, zstdDecompressSync } from "node:zlib";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { describe, expect, it } from "vitest";
import { preferredEncoding } from "../src/http/compression/accept-encoding.ts";
import { type ProxyHarness, startProxy } from "./proxy/harness.ts";

const text = "All work and no play makes a long page. ".repeat(100);
const page = (headers: string, body: string = text): string =>
  `HTTP/1.1 200 OK\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;
const html = "Content-Type: text/html\r\n";
const ask = (proxy: ProxyHarness, ...lines: string[]): ReturnType<typeof sendRaw> =>
  sendRaw(proxy.port, ["GET / HTTP/1.1", "Host: a", ...lines]);
const bytes = (body: string): Buffer => Buffer.from(body, "latin1");
const forward = (port: number, host = {}): Parameters<typeof startProxy>[0] => ({
  forward: `http://127.0.0.1:${port}`,
  host: { compress: true, ...host },
});

describe("Accept-Encoding", () => {
  it.each([
    ["gzip, deflate, br, zstd", "br"],
    ["gzip, deflate", "gzip"],
    ["x-gzip", "gzip"],
    ["GZIP;Q=1", "gzip"],
    ["br;q=0.5, gzip;q=0.8", "gzip"],
    ["br;q=0, *", "zstd"],
    ["*", "br"],
    ["*;q=0", undefined],
    ["gzip;q=0", undefined],
    ["gzip;q=0.000", undefined],
    ["identity, gzip;q=0.5", undefined],
    ["identity;q=0.5, gzip;q=0.5", "gzip"],
    ["gzip;q=2, deflate", undefined],
    ["gzip;level=9", undefined],
    ["deflate", undefined],
    ["", undefined],
  ])("%j prefers %s", (header, wanted) => {
    expect(preferredEncoding(header)).toBe(wanted);
  });
});

describe("compression", () => {
  it.each([
    ["br", brotliDecompressSync],
    ["zstd", zstdDecompressSync],
    ["gzip", gunzipSync],
  ] as const)("sends %s, and says what that changes", async (encoding, decode) => {
    await using backend = await startRawBackend(
      answerWith(page(`${html}ETag: "v1"\r\nAccept-Ranges: bytes\r\nVary: Cookie\r\n`)),
    );
    await using proxy = await startProxy(forward(backend.port));
    const answer = await ask(proxy, `Accept-Encoding: ${encoding}`);
    expect(answer.text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(answer.header("content-encoding")).toBe(encoding);
    expect(answer.header("content-length")).toBe(String(answer.body.length));
    expect(answer.header("etag")).toBe('W/"v1"');
    expect(answer.header("accept-ranges")).toBeUndefined();
    expect(answer.headers.filter(([name]) => name === "Vary").map(([, value]) => value)).toEqual([
      "Cookie",
      "Accept-Encoding",
    ]);
    expect(decode(bytes(answer.body)).toString()).toBe(text);
    expect(await proxy.metrics()).toContain(
      `posthouse_compression_answers_total{encoding="${encoding}"} 1\n`,
    );
  });

  it.each([
    ["a client that takes none", page(html), "Accept: */*", true],
    [
      "a client that asks for no change",
      page(html),
      "Accept-Encoding: gzip\r\nCache-Control: no-transform",
      true,
    ],
    [
      "an answer that is compressed",
      page(`${html}Content-Encoding: gzip\r\n`),
      "Accept-Encoding: gzip",
      false,
    ],
    [
      "an answer that is not to be changed",
      page(`${html}Cache-Control: public,no-transform\r\n`),
      "Accept-Encoding: gzip",
      false,
    ],
    ["a picture", page("Content-Type: image/png\r\n"), "Accept-Encoding: gzip", false],
    ["a short answer", page(html, "short"), "Accept-Encoding: gzip", false],
    [
      "a part",
      page(`${html}Content-Range: bytes 0-3999/9000\r\n`).replace("200 OK", "206 Partial Content"),
      "Accept-Encoding: gzip\r\nRange: bytes=0-3999",
      false,
    ],
  ])("leaves alone %s", async (_, answered, header, varies) => {
    await using backend = await startRawBackend(answerWith(answered));
    await using proxy = await startProxy(forward(backend.port));
    const answer = await ask(proxy, header);
    expect(answer.body).toBe(answered.slice(answered.indexOf("\r\n\r\n") + 4));
    expect(answer.header("vary")).toBe(varies ? "Accept-Encoding" : undefined);
  });

  it("leaves alone HEAD, 204 and 304, and hosts that do not want it", async () => {
    await using head = await startRawBackend(
      answerWith(`HTTP/1.1 200 OK\r\n${html}Content-Length: 4000\r\n\r\n`),
    );
    await using headProxy = await startProxy(forward(head.port));
    const headAnswer = await sendRaw(headProxy.port, ["HEAD / HTTP/1.1", "Host: a", "Accept-Encoding: br"]);
    expect(headAnswer.header("content-length")).toBe("4000");
    expect(headAnswer.header("content-encoding")).toBeUndefined();
    for (const status of ["204 No Content", "304 Not Modified"]) {
      await using backend = await startRawBackend(answerWith(`HTTP/1.1 ${status}\r\nETag: "x"\r\n\r\n`));
      await using proxy = await startProxy(forward(backend.port));
      const answer = await ask(proxy, "Accept-Encoding: br");
      expect(answer.header("content-encoding")).toBeUndefined();
      expect(answer.header("etag")).toBe('"x"');
    }
    await using backend = await startRawBackend(answerWith(page(html)));
    await using proxy = await startProxy(forward(backend.port, { compress: false }));
    expect((await ask(proxy, "Accept-Encoding: br")).body).toBe(text);
  });

  it("lets the events of a stream out as they come", async () => {
    await using backend = await startRawBackend(({ socket }) => {
      socket.write(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
      );
      socket.write("9\r\ndata: 1\n\n\r\n");
    });
    await using proxy = await startProxy(forward(backend.port));
    const response = await fetch(`http://127.0.0.1:${proxy.port}/`, {
      headers: { "accept-encoding": "gzip" },
    });
    expect(response.headers.get("content-encoding")).toBe("gzip");
    const reader = response.body?.getReader();
    const first = await reader?.read();
    expect(Buffer.from(first?.value ?? []).toString()).toBe("data: 1\n\n");
    backend.connections[0]?.socket.write("9\r\ndata: 2\n\n\r\n");
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe("data: 2\n\n");
    await reader?.cancel();
    await until("no encoder left", async () =>
      (await proxy.metrics()).includes("posthouse_compression_running 0\n"),
    );
  });

  it("waits for a client that reads slowly, and gives it the whole", async () => {
    const size = 24 * 1024 * 1024;
    const random = Array.from({ length: 4096 }, () => Math.random().toString(36)).join("");
    await using backend = await startRawBackend(({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\n${html}Content-Length: ${size}\r\n\r\n`);
      let left = size;
      const send = (): void => {
        while (left > 0) {
          const chunk = random.slice(0, Math.min(random.length, left));
          left -= chunk.length;
          if (!socket.write(chunk)) {
            socket.once("drain", send);
            return;
          }
        }
      };
      send();
    });
    await using proxy = await startProxy(forward(backend.port));
    const client = connect(proxy.port, "127.0.0.1");
    client.write("GET / HTTP/1.0\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n".replace("1.0", "1.1"));
    await until("the first bytes", async () => client.readableLength > 0 || client.bytesRead > 0);
    let settled = -1;
    await until("the backend to stand still", async () => {
      const now = Number(/direction="response"\} (\d+)/.exec(await proxy.metrics())?.[1] ?? 0);
      const still = now > 0 && now === settled;
      settled = now;
      await new Promise((resolve) => setTimeout(resolve, 300));
      return still;
    });
    expect(settled).toBeLessThan(size);
    let received = 0;
    const gunzip = createGunzip();
    const done = new Promise<void>((resolve, reject) => {
      gunzip.on("data", (chunk: Buffer) => {
        received += chunk.length;
      });
      gunzip.on("end", resolve).on("error", reject);
    });
    dechunk(client, gunzip);
    await done;
    client.destroy();
    expect(received).toBe(size);
  }, 60_000);
});

/** The chunks of an answer without its head and their sizes. */
function dechunk(socket: ReturnType<typeof connect>, to: NodeJS.WritableStream): void {
  let rest = Buffer.alloc(0);
  let inBody = false;
  socket.on("data", (data: Buffer) => {
    rest = Buffer.concat([rest, data]);
    if (!inBody) {
      const end = rest.indexOf("\r\n\r\n");
      if (end === -1) return;
      rest = rest.subarray(end + 4);
      inBody = true;
    }
    for (;;) {
      const line = rest.indexOf("\r\n");
      if (line === -1) return;
      const length = Number.parseInt(rest.subarray(0, line).toString(), 16);
      if (rest.length < line + 4 + length) return;
      if (length === 0) return void to.end();
      to.write(rest.subarray(line + 2, line + 2 + length));
      rest = rest.subarray(line + 4 + length);
    }
  });
}
