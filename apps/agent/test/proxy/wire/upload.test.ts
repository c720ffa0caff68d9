/** Large bodies that nobody wants, or not all of it: the client gets its answer all the same (RFC 9112, 9.6). */
import { connect } from "node:net";
import type { RawScript } from "@posthouse/testkit/raw-backend";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { describe, expect, it } from "vitest";
import { startProxy } from "../harness.ts";

const piece = Buffer.alloc(64 * 1024, "x");
const megabyte = 16;

/** Sends a head and pieces for as long as they are taken, and reads what comes until the connection ends. */
function upload(port: number, head: string, pieces: number, chunked: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = "";
    let left = pieces;
    const socket = connect({ port, host: "127.0.0.1" });
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`not closed; seen ${JSON.stringify(seen.slice(0, 500))}`));
    }, 15_000);
    const send = (): void => {
      while (left > 0 && socket.writable) {
        left -= 1;
        if (chunked) socket.write("10000\r\n");
        const flows = socket.write(piece);
        if (chunked) socket.write(left === 0 ? "\r\n0\r\n\r\n" : "\r\n");
        if (!flows) return;
      }
    };
    socket.on("drain", send);
    socket.on("data", (data) => {
      seen += data.toString("latin1");
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(seen);
    });
    socket.write(head);
    send();
  });
}

const sized = (pieces: number, ...lines: string[]): string =>
  ["POST / HTTP/1.1", "Host: a", ...lines, `Content-Length: ${pieces * piece.length}`, "", ""].join("\r\n");
const inChunks = ["POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "", ""].join("\r\n");

/** Answers once, as soon as anything has arrived. */
const answerAtOnce =
  (bytes: string, end: boolean): RawScript =>
  ({ socket, received }, index) => {
    if (received.length > 100_000 || index > 0 || socket.writableEnded || socket.bytesWritten > 0) return;
    if (end) socket.end(bytes);
    else socket.write(bytes);
  };
const no = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";

describe("a large body that is not wanted", () => {
  it.each([
    ["with a length", sized(8 * megabyte), false],
    ["in chunks", inChunks, true],
  ])("is read on until the client has its answer: %s, answered at once", async (_, head, chunked) => {
    for (const end of [false, true]) {
      await using backend = await startRawBackend(answerAtOnce(no, end));
      await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
      const seen = await upload(proxy.port, head, 8 * megabyte, chunked);
      expect(seen).toMatch(
        /^HTTP\/1\.1 403 Forbidden\r\nContent-Length: 2\r\n[\s\S]*Connection: close\r\n[\s\S]*\r\n\r\nno$/,
      );
    }
  });

  it("is read on until the client has its 413", async () => {
    await using backend = await startRawBackend(() => {});
    await using proxy = await startProxy({
      forward: { upstreams: [`http://127.0.0.1:${backend.port}`], max_body: "1MiB" },
    });
    for (const [head, chunked] of [
      [sized(8 * megabyte), false],
      [inChunks, true],
    ] as const) {
      expect(await upload(proxy.port, head, 8 * megabyte, chunked)).toMatch(
        /^HTTP\/1\.1 413 [\s\S]*\r\n\r\n413 /,
      );
    }
  });

  it("is read on until the client knows that there is no backend", async () => {
    await using proxy = await startProxy({ forward: "http://127.0.0.1:1" });
    expect(await upload(proxy.port, sized(8 * megabyte), 8 * megabyte, false)).toMatch(
      /^HTTP\/1\.1 502 [\s\S]*\r\n\r\n502 /,
    );
  });

  it("is read on until the client knows that it is not found", async () => {
    await using proxy = await startProxy({
      forward: "http://127.0.0.1:1",
      host: { match: ["elsewhere"] },
    });
    expect(await upload(proxy.port, inChunks, 8 * megabyte, true)).toMatch(
      /^HTTP\/1\.1 404 [\s\S]*not found\n$/,
    );
  });

  it("is not read for ever", async () => {
    await using backend = await startRawBackend(answerAtOnce(no, false));
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    expect(await upload(proxy.port, inChunks, Number.POSITIVE_INFINITY, true)).toMatch(/^HTTP\/1\.1 403 /);
  });
});
