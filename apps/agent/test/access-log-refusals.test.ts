/** Lines for what is refused before anybody could answer it, as nginx has them. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./proxy/harness.ts";

let folder: string;
let path: string;
let proxy: ProxyHarness;
let backend: Awaited<ReturnType<typeof startRawBackend>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-refusals-"));
  path = join(folder, "access.log");
  backend = await startRawBackend(() => {});
  proxy = await startProxy({
    forward: `http://127.0.0.1:${backend.port}`,
    site: {
      access_log: { path, format: '$remote_addr "$request" $status $body_bytes_sent $host' },
      limits: { header_size: "2KiB", header_time: "300ms", request_time: "1s" },
    },
  });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const lines = async (): Promise<string[]> =>
  (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

/** The lines that this brings, once there are `count`. */
async function logged(act: () => Promise<unknown>, count = 1): Promise<string[]> {
  const before = (await lines()).length;
  await act();
  await until("the lines", async () => (await lines()).length >= before + count);
  return (await lines()).slice(before);
}

const send = (bytes: string): Promise<string> => exchangeBytes(proxy.port, bytes, { deadlineMs: 10_000 });

describe("the access log has a line for", () => {
  it.each([
    ["bytes of another protocol", "\x16\x03\x01 hello\r\n", '"\\x16\\x03\\x01 hello" 400 12 -'],
    ["a broken header", "GET /a HTTP/1.1\r\nHost : a\r\n\r\n", '"GET /a HTTP/1.1" 400 12 -'],
    ["a quote in the line", 'GET /" "200 HTTP/9\r\n\r\n', '"GET /\\x22 \\x22200 HTTP/9" 400 12 -'],
    [
      "a head that is too large",
      `GET /b HTTP/1.1\r\nX: ${"x".repeat(4000)}\r\n\r\n`,
      '"GET /b HTTP/1.1" 431 32 -',
    ],
    ["a line without end", "x".repeat(5000), `"${"x".repeat(1024)}" 400 12 -`],
    [
      "a chunk that is none",
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
      '"POST /c HTTP/1.1" 400 0 h',
    ],
    ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", '"CONNECT a:1 HTTP/1.1" 405 19 a:1'],
    ["a head that comes too slowly", "GET /slow HTTP/1.1\r\nHo", '"-" 408 16 -'],
  ])("%s", async (_, bytes, line) => {
    const [only, ...more] = await logged(() => send(bytes));
    expect([only, more]).toEqual([`127.0.0.1 ${line}`, []]);
  });

  it("a body that breaks after it was begun to be passed on: the status that was sent", async () => {
    const found = await logged(async () => {
      const socket = connect(proxy.port, "127.0.0.1").on("error", () => {});
      let seen = "";
      socket.on("data", (data) => {
        seen += data.toString();
      });
      socket.write("POST /d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
      await until("the chunk", async () => backend.received.endsWith("2\r\nab\r\n"));
      socket.write("zz\r\n");
      await until("the refusal", async () => seen.startsWith("HTTP/1.1 400 "));
    });
    expect(found).toEqual(['127.0.0.1 "POST /d HTTP/1.1" 400 0 h']);
  });

  it("a body that comes too slowly", async () => {
    const found = await logged(() => send("POST /e HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nab"));
    expect(found).toEqual(['127.0.0.1 "POST /e HTTP/1.1" 408 0 h']);
  });

  it("nothing of a piece in the middle, which may hold anything", async () => {
    const found = await logged(async () => {
      const socket = connect(proxy.port, "127.0.0.1").on("error", () => {});
      socket.write("GET /f HTTP/1.1\r\nCookie: a=");
      await new Promise((resolve) => setTimeout(resolve, 100));
      socket.write("secret\r\nb ad: x\r\n\r\n");
      await new Promise((resolve) => socket.resume().on("close", resolve));
    });
    expect(found).toEqual(['127.0.0.1 "-" 400 12 -']);
  });

  it("no connection on which nothing was sent", async () => {
    const found = await logged(async () => {
      expect(await send("")).toMatch(/^HTTP\/1\.1 408 /);
      await send("x y\r\n\r\n");
    });
    expect(found).toEqual(['127.0.0.1 "x y" 400 12 -']);
  });
});

it("json has what could not be read as request", async () => {
  const file = join(folder, "access.json");
  await using other = await startProxy({
    forward: "http://127.0.0.1:1",
    site: { access_log: { path: file, format: "json" } },
  });
  await exchangeBytes(other.port, "no request\r\n\r\n");
  await until("the line", async () => (await readFile(file, "utf8").catch(() => "")) !== "");
  const { time: _, ...rest } = JSON.parse(await readFile(file, "utf8"));
  expect(rest).toEqual({
    client: "127.0.0.1",
    scheme: "http",
    request: "no request",
    status: 400,
    bytes: 12,
    duration_ms: 0,
  });
});
