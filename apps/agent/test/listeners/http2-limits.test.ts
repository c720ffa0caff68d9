/** What one client of HTTP/2 may take: the limits of a site, struck by raw frames, and what counts them. */
import { once } from "node:events";
import { connect } from "node:net";
import type { TLSSocket } from "node:tls";
import { answerWith, type RawScript, startRawBackend } from "@posthouse/testkit/raw-backend";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "../proxy/harness.ts";
import { data, endStream, type Frame, frame, headers, parseFrames, preface, reset } from "./frames.ts";
import { handshake, makeTlsFolder, noOpenssl, type TlsFolder } from "./harness.ts";

const get = [":method", "GET", ":scheme", "https", ":path", "/", ":authority", "a"];
const post = [":method", "POST", ":scheme", "https", ":path", "/", ":authority", "a"];
const ok = answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

describe.skipIf(noOpenssl !== undefined)("limits of HTTP/2", () => {
  let files: TlsFolder;
  beforeAll(async () => {
    files = await makeTlsFolder();
  });
  afterAll(() => files?.[Symbol.asyncDispose]());

  interface Wire {
    readonly socket: TLSSocket;
    readonly frames: Frame[];
    readonly proxy: ProxyHarness;
    /** Waits for one. */
    has(found: (frame: Frame) => boolean): Promise<Frame>;
    /** Waits until a metric of the listener or the forward is 1. */
    counts(series: string): Promise<void>;
  }

  interface Settings {
    readonly limits?: Record<string, unknown>;
    readonly forward?: Record<string, unknown>;
    readonly tls?: Record<string, unknown>;
    readonly script?: RawScript;
  }

  async function onWire(settings: Settings, test: (wire: Wire) => Promise<void>): Promise<void> {
    await using backend = await startRawBackend(settings.script ?? ok);
    const certificates = [files.authority.issue({ file: "a", names: ["DNS:a"] })];
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], ...settings.forward },
      site: { limits: settings.limits ?? {}, tls: { certificates, ...settings.tls } },
    });
    const socket = await handshake(proxy.port, { ALPNProtocols: ["h2"] });
    socket.on("error", () => {});
    let received: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
    });
    socket.write(preface);
    await test({
      socket,
      proxy,
      get frames() {
        return parseFrames(received);
      },
      async has(found) {
        await until("a frame", async () => parseFrames(received).some(found));
        return parseFrames(received).find(found) as Frame;
      },
      counts: (series) =>
        until(series, async () => {
          const lines = (await proxy.metrics()).replaceAll(/listener="site [^"]*",?/g, "").split("\n");
          return lines.includes(`${series} 1`);
        }),
    });
    socket.destroy();
  }

  const headOf =
    (stream: number) =>
    (each: Frame): boolean =>
      each.stream === stream && each.type === 1;

  it("cut a body that trickles in, with 408", () =>
    onWire(
      { forward: { timeouts: { client: "700ms" }, min_body_rate: "1KiB" }, script: () => {} },
      async ({ socket, has, counts }) => {
        socket.write(headers(1, 0, ...post));
        const timer = setInterval(() => socket.write(data(1, 0, "x")), 50);
        const answer = await has(headOf(1));
        clearInterval(timer);
        expect(answer.payload.toString("latin1")).toContain("408");
        await counts('posthouse_proxy_limits_total{site="*",limit="client"}');
      },
    ));

  it("cut a request that is not whole in time, whatever its rate, and do not pass it off as whole", async () => {
    let received = "";
    const script: RawScript = (connection) => {
      ({ received } = connection);
    };
    await onWire({ limits: { request_time: "1s" }, script }, async ({ socket, has, counts }) => {
      socket.write(headers(1, 0, ...post));
      const timer = setInterval(() => socket.write(data(1, 0, "x".repeat(1000))), 100);
      const answer = await has(headOf(1));
      clearInterval(timer);
      expect(answer.payload.toString("latin1")).toContain("408");
      await counts('posthouse_http_refused_total{reason="timeout"}');
      expect(received).toMatch(/^POST /);
      expect(received).not.toMatch(/\r\n0\r\n\r\n$/);
    });
  });

  it("cut an answer that its client does not take", () =>
    onWire({ limits: { read_time: "500ms" } }, async ({ socket, has, counts }) => {
      // SETTINGS_INITIAL_WINDOW_SIZE 0: not a byte of a body may be sent.
      socket.write(
        Buffer.concat([frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 0, 0])), headers(1, endStream, ...get)]),
      );
      await has(headOf(1));
      await has(({ stream, type }) => stream === 1 && type === 3);
      await counts('posthouse_http_refused_total{reason="slow_reader"}');
    }));

  it("bound the headers by header_size, and say so", () =>
    onWire({ limits: { header_size: "2KiB" } }, async ({ socket, has, counts }) => {
      const { payload } = await has(({ type, flags }) => type === 4 && flags === 0);
      expect(setting(payload, 6)).toBe(2048);
      const many = Array.from({ length: 14 }, (_, index) => [`x-${index}`, "v".repeat(120)]).flat();
      socket.write(headers(1, endStream, ...get, ...many));
      expect((await has(headOf(1))).payload.toString("latin1")).toContain("431");
      await counts('posthouse_http_refused_total{reason="too_large"}');
    }));

  it("bound the requests at once, and count that all were in use", () =>
    onWire({ limits: { http2_streams: 3 }, script: () => {} }, async ({ socket, has, counts }) => {
      const { payload } = await has(({ type, flags }) => type === 4 && flags === 0);
      expect(setting(payload, 3)).toBe(3);
      socket.write(Buffer.concat([1, 3, 5, 7].map((stream) => headers(stream, endStream, ...get))));
      await has(({ type, stream }) => (type === 3 && stream === 7) || type === 7);
      await counts("posthouse_http2_all_streams_total{}");
    }));

  it("bound the requests that a client cuts short", () =>
    onWire({ limits: { http2_resets: 1 } }, async ({ socket, counts }) => {
      const closed = once(socket, "close");
      for (let stream = 1; stream < 61; stream += 2)
        socket.write(Buffer.concat([headers(stream, 0, ...post), reset(stream, 8)]));
      await closed;
      await counts('posthouse_http_refused_total{reason="resets"}');
    }));

  /** Sends a block of headers byte by byte until the connection is closed. */
  async function trickle(socket: TLSSocket, stream: number): Promise<void> {
    const closed = once(socket, "close");
    const block = headers(stream, endStream, ...get, "x-slow", "v".repeat(120));
    let sent = 0;
    const timer = setInterval(() => {
      if (sent < block.length - 1 && !socket.destroyed) socket.write(block.subarray(sent, ++sent));
    }, 100);
    await closed;
    clearInterval(timer);
    expect(sent).toBeLessThan(block.length - 1);
  }

  it("bound the time for the headers of a first request, which may not trickle in", () =>
    onWire({ limits: { header_time: "500ms" } }, async ({ socket, counts }) => {
      await trickle(socket, 1);
      await counts('posthouse_http_refused_total{reason="timeout"}');
    }));

  it("bound the time for the headers of a later request as an idle connection's", () =>
    onWire({ limits: { keep_alive: "500ms" } }, async ({ socket, has, counts }) => {
      socket.write(headers(1, endStream, ...get));
      await has(headOf(1));
      await trickle(socket, 3);
      await counts("posthouse_http_idle_closed_total{}");
    }));

  it("close a connection that stays idle", () =>
    onWire({ limits: { keep_alive: "300ms" } }, async ({ socket, has, counts }) => {
      const closed = once(socket, "close");
      socket.write(headers(1, endStream, ...get));
      await has(headOf(1));
      await closed;
      await counts("posthouse_http_idle_closed_total{}");
    }));

  it("bound the TLS handshake", () =>
    onWire({ tls: { handshake_time: "300ms" } }, async ({ proxy, counts }) => {
      const silent = connect(proxy.port, "127.0.0.1");
      silent.on("error", () => {});
      await once(silent, "close");
      await counts('posthouse_http_refused_total{reason="tls"}');
    }));
});

function setting(payload: Buffer, id: number): number | undefined {
  for (let at = 0; at < payload.length; at += 6)
    if (payload.readUInt16BE(at) === id) return payload.readUInt32BE(at + 2);
  return undefined;
}
