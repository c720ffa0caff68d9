import { once } from "node:events";
import type { TLSSocket } from "node:tls";
import { answerWith, type RawBackend, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "../proxy/harness.ts";
import { data, endStream, type Frame, frame, headers, parseFrames, preface, reset } from "./frames.ts";
import { handshake, makeTlsFolder, noOpenssl, type TlsFolder } from "./harness.ts";

const head = [":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a"];
const post = [":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a"];
const change = (name: string, value: string): string[] =>
  head.map((text, index) => (head[index - 1] === name ? value : text));

interface Wire {
  readonly socket: TLSSocket;
  frames(): Frame[];
  has(found: (frame: Frame) => boolean): Promise<Frame>;
}

describe.skipIf(noOpenssl !== undefined)("frames of HTTP/2", () => {
  let files: TlsFolder;
  let backend: RawBackend;
  let proxy: ProxyHarness;
  beforeAll(async () => {
    files = await makeTlsFolder();
    backend = await startRawBackend(answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    proxy = await startProxy({
      forward: `http://127.0.0.1:${backend.port}`,
      site: { tls: { certificates: [files.authority.issue({ file: "a", names: ["DNS:a"] })] } },
    });
  });
  afterAll(async () => {
    await proxy?.[Symbol.asyncDispose]();
    await backend?.[Symbol.asyncDispose]();
    await files?.[Symbol.asyncDispose]();
  });

  async function open(...bytes: Buffer[]): Promise<Wire> {
    const socket = await handshake(proxy.port, { ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    let received: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    socket.write(Buffer.concat([preface, ...bytes]));
    const frames = (): Frame[] => parseFrames(received);
    return {
      socket,
      frames,
      async has(found) {
        await until("a frame", async () => frames().some(found));
        return frames().find(found) as Frame;
      },
    };
  }

  it.each<[string, string, string[]]>([
    ["a connection header", "8.2.2", [...head, "connection", "close"]],
    ["a transfer-encoding", "8.2.2", [...head, "transfer-encoding", "chunked"]],
    ["an upgrade", "8.2.2", [...head, "upgrade", "websocket"]],
    ["a keep-alive", "8.2.2", [...head, "keep-alive", "1"]],
    ["te other than trailers", "8.2.2", [...head, "te", "gzip"]],
    ["capitals in a name", "8.2", [...head, "X-A", "1"]],
    ["a pseudo header twice", "8.3", [...head, ":path", "/b"]],
    ["a pseudo header behind others", "8.3", [...head.slice(2), "x-a", "1", ":method", "GET"]],
    ["an unknown pseudo header", "8.3", [...head, ":x", "1"]],
    ["a pseudo header of answers", "8.3", [...head, ":status", "200"]],
    ["no method", "8.3.1", head.slice(2)],
    ["no path", "8.3.1", [...head.slice(0, 4), ...head.slice(6)]],
    ["an empty path", "8.3.1", change(":path", "")],
    ["a space in the path", "8.3.1", change(":path", "/a b")],
    ["a line end in the path", "10.3", change(":path", "/ HTTP/1.1\r\nx: y")],
    ["a line end in the method", "10.3", change(":method", "GET / HTTP/1.1\r\nx")],
    ["an unknown method", "8.3.1", change(":method", "BLAH")],
    ["a user in the authority", "8.3.1", change(":authority", "u@a")],
    ["no host", "8.3.1", head.slice(0, 6)],
    ["another host beside the authority", "8.3.1", [...head, "host", "b"]],
    ["two hosts", "8.3.1", [...head.slice(0, 6), "host", "a", "host", "a"]],
    ["a length without its body", "8.1.1", [...head, "content-length", "5"]],
    ["two lengths", "8.1.1", [...head, "content-length", "0", "content-length", "0"]],
    ["an odd length", "8.1.1", [...head, "content-length", "+0"]],
    ["extended CONNECT", "RFC 8441", [...change(":method", "CONNECT"), ":protocol", "websocket"]],
    ["CONNECT", "8.5", [":method", "CONNECT", ":authority", "a:443"]],
  ])("refuses %s (RFC 9113, %s)", async (_, __, list) => {
    const before = backend.received.length;
    const wire = await open(headers(1, endStream, ...list));
    const answer = await wire.has(({ stream, type }) => stream === 1 && (type === 1 || type === 3));
    // 400 is one literal or indexed byte of HPACK (8c); 405 stands there as text. Else the stream is reset.
    if (answer.type === 1) expect([0x8c, 0x48, 0x08]).toContain(answer.payload[0]);
    else expect(answer.payload.readUInt32BE()).toBe(1);
    wire.socket.destroy();
    expect(backend.received.length).toBe(before);
  });

  it.each<[string, string, string[]]>([
    ["a space in a name", "8.2.1", [...head, "x a", "1"]],
    ["a colon in a name", "8.2.1", [...head, "x:a", "1"]],
    ["a line end in a value", "8.2.1", [...head, "x-a", "1\r\nx-b: 2"]],
    ["a NUL in a value", "8.2.1", [...head, "x-a", "1\0"]],
    ["a space before a value", "8.2.1", [...head, "x-a", " 1"]],
  ])("lets %s reach no backend (RFC 9113, %s)", async (_, __, list) => {
    const before = backend.received.length;
    const wire = await open(headers(1, endStream, ...list));
    await wire.has(({ stream, type }) => stream === 1 && (type === 1 || type === 3));
    wire.socket.destroy();
    expect(backend.received.slice(before)).not.toMatch(/x[-: ]?[ab]/i);
  });

  it("does not send a body that is longer or shorter than its length as a whole one", async () => {
    for (const text of ["ab", "abcd"]) {
      const wire = await open(headers(1, 0, ...post, "content-length", "3"), data(1, endStream, text));
      // The stream is reset, or the connection ended.
      await wire.has(({ stream, type }) => (stream === 1 && type === 3) || type === 7);
      wire.socket.destroy();
      const given = backend.connections.filter(({ received }) => received.includes("content-length: 3"));
      await until("the backend's connection is closed", async () =>
        given.every(({ socket }) => socket.destroyed),
      );
      expect(backend.received).not.toContain("\r\n\r\nabc");
    }
  });

  it("does not end the body of a stream that is reset without an error", async () => {
    const before = backend.connections.length;
    const wire = await open(headers(1, 0, ...post), data(1, 0, "abc"));
    await until("the backend has it", async () =>
      backend.connections.slice(before).some(({ received }) => received.includes("abc")),
    );
    wire.socket.write(reset(1, 0));
    const connection = backend.connections.find(({ received }) => received.includes("3\r\nabc"));
    await until("its connection is closed", async () => connection?.socket.destroyed ?? false);
    expect(connection?.received.endsWith("3\r\nabc\r\n")).toBe(true);
    wire.socket.destroy();
  });

  it("announces its limits: no push, 128 streams, 16 KiB of headers", async () => {
    const wire = await open();
    const { payload } = await wire.has(({ type, flags }) => type === 4 && flags === 0);
    const settings = new Map<number, number>();
    for (let at = 0; at < payload.length; at += 6)
      settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    expect(settings.get(3)).toBe(128);
    expect(settings.get(6)).toBe(16_384);
    expect(settings.get(8) ?? 0).toBe(0);
    wire.socket.destroy();
  });

  it("refuses the 129th stream at once", async () => {
    const streams = Array.from({ length: 129 }, (_, index) => index * 2 + 1);
    const wire = await open(...streams.map((stream) => headers(stream, 0, ...post)));
    const refused = await wire.has(({ type, stream }) => (type === 3 && stream === 257) || type === 7);
    expect([3, 7]).toContain(refused.type);
    wire.socket.destroy();
  });

  it("refuses a header list above 16 KiB", async () => {
    const many = Array.from({ length: 110 }, (_, index) => [`x-many-${index}`, "v".repeat(120)]).flat();
    const wire = await open(headers(1, endStream, ...head, ...many));
    const answer = await wire.has(({ stream, type }) => stream === 1 && (type === 1 || type === 3));
    expect(answer.payload.toString("latin1")).toContain("431");
    expect(backend.received).not.toContain("x-many");
    wire.socket.destroy();
  });

  it("ends a connection that opens and resets streams without end", async () => {
    const wire = await open();
    const closed = once(wire.socket, "close");
    let stream = 1;
    const timer = setInterval(() => {
      const burst: Buffer[] = [];
      for (let index = 0; index < 50; index++, stream += 2)
        burst.push(headers(stream, endStream, ...head), reset(stream, 8));
      if (wire.socket.writable) wire.socket.write(Buffer.concat(burst));
    }, 5);
    await closed;
    clearInterval(timer);
    expect(stream).toBeLessThan(20_000);
    expect(wire.frames().some(({ type, payload }) => type === 7 && payload.readUInt32BE(4) === 11)).toBe(
      true,
    );
    expect(await proxy.metrics()).toMatch(/reason="resets"\} 1/);
  });

  it("ends a connection that speaks something else than it agreed on", async () => {
    const socket = await handshake(proxy.port, { ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    socket.resume();
    const closed = once(socket, "close");
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await closed;
  });

  it("answers 300 requests of one connection in turn", async () => {
    const wire = await open();
    for (let batch = 0; batch < 3; batch++) {
      for (let index = batch * 100; index < batch * 100 + 100; index++)
        wire.socket.write(headers(index * 2 + 1, endStream, ...head));
      const last = batch * 200 + 199;
      await wire.has(({ stream, type, flags }) => stream === last && type === 0 && (flags & endStream) !== 0);
    }
    await until(
      "all are answered",
      async () => wire.frames().filter(({ type }) => type === 1).length === 300,
    );
    wire.socket.write(frame(7, 0, 0, Buffer.alloc(8)));
    await once(wire.socket, "close");
  });
});
