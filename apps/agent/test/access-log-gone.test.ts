/** Clients that go away: one line for each request, with the client's address. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./proxy/harness.ts";

let folder: string;
let path: string;
let proxy: ProxyHarness;
let aborts = 0;
let backend: Awaited<ReturnType<typeof startRawBackend>>;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-gone-"));
  path = join(folder, "access.log");
  backend = await startRawBackend((connection, index) => {
    if (connection.received.includes("/gone")) return;
    if (connection.received.includes("/early")) {
      if (!connection.received.endsWith("\r\n\r\n")) return;
      connection.socket.write("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
    } else answerWith("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")(connection, index);
  });
  proxy = await startProxy({
    forward: `http://127.0.0.1:${backend.port}`,
    site: { access_log: { path, format: '$remote_addr "$request" $status' } },
  });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** The lines that this brings, up to that of a request behind it. */
async function logged(act: () => Promise<void>): Promise<string[]> {
  const read = async (): Promise<string[]> => (await readFile(path, "utf8").catch(() => "")).split("\n");
  const before = (await read()).length - 1;
  await act();
  await exchangeBytes(proxy.port, "GET /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  await until("the last line", async () =>
    (await read()).slice(before).some((line) => line.includes("/last")),
  );
  return (await read()).slice(before).filter((line) => line !== "" && !line.includes("/last"));
}

/** Sends, waits for an answer that begins so, goes away, and waits until that was noticed. */
async function goAway(bytes: string, answer: string): Promise<void> {
  const socket = connect(proxy.port, "127.0.0.1").on("error", () => {});
  let seen = "";
  socket.on("data", (data) => {
    seen += data.toString();
  });
  socket.write(bytes);
  await until("the answer", async () => seen.startsWith(answer));
  if (answer === "") await new Promise((resolve) => setTimeout(resolve, 100));
  socket.destroy();
  await until("it was noticed", async () =>
    /open_connections\{listener="site[^}]*\} 0\n/.test(await proxy.metrics()),
  );
}

it("the rest of a body that was not wanted any more is no request", async () => {
  const lines = await logged(() =>
    goAway("POST /early HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 403 "),
  );
  expect(lines).toEqual(['127.0.0.1 "POST /early HTTP/1.1" 403']);
  expect(await proxy.metrics()).toMatch(/refused_total\{listener="site[^}]*reason="syntax"\} 0\n/);
});

it.each([
  ["of a length", "Content-Length: 9\r\n\r\nab"],
  ["in chunks", "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"],
])("a client that goes away within a body %s is one that went away: 499", async (_, rest) => {
  const lines = await logged(() => goAway(`POST /gone HTTP/1.1\r\nHost: h\r\n${rest}`, ""));
  expect(lines).toEqual(['127.0.0.1 "POST /gone HTTP/1.1" 499']);
  const metrics = await proxy.metrics();
  expect(metrics).toMatch(/refused_total\{listener="site[^}]*reason="syntax"\} 0\n/);
  aborts += 1;
  expect(metrics).toMatch(new RegExp(`posthouse_proxy_client_aborts_total\\{[^}]*\\} ${aborts}\n`));
});

it("a client that goes away within a body that came with its head has one line too", async () => {
  const lines = await logged(async () => {
    const socket = connect(proxy.port, "127.0.0.1").on("error", () => {});
    socket.resume().end("POST /gone HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
  });
  expect(lines).toEqual(['127.0.0.1 "POST /gone HTTP/1.1" 499']);
});

it("a client that goes away in the middle of its first line has its address", async () => {
  expect(await logged(() => goAway("GET /half", ""))).toEqual(['127.0.0.1 "-" 400']);
});
