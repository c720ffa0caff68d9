/** A backend that speaks something else, and then waits: 502 at once, not 504 after `first_byte`. */
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { expect, it } from "vitest";
import { startProxy } from "./harness.ts";

it.each([
  ["a greeting of another protocol", ["SSH-2.0-server\r\n"]],
  ["the first byte of one", ["S"]],
  ["HTTP/2", ["HTTP/2 200 OK\r\n"]],
  ["lines that end without CR", ["HTTP/1.1 200 OK\nContent-Length: 2\n\nok"]],
  ["such a line in a later piece", ["HTTP/1.1 200 OK\r\nX: a\r", "\nContent-Length: 2", "\n\r"]],
])("%s", async (_, pieces) => {
  await using backend = await startRawBackend(({ socket }) => {
    for (const [index, piece] of pieces.entries()) setTimeout(() => socket.write(piece), 30 * index);
  });
  await using proxy = await startProxy({
    forward: { upstreams: [`http://127.0.0.1:${backend.port}`], timeouts: { first_byte: "1m" } },
  });
  const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  expect(await exchangeBytes(proxy.port, request, { deadlineMs: 5_000 })).toMatch(/^HTTP\/1\.1 502 /);
  expect(await proxy.metrics()).toMatch(/posthouse_proxy_failures_total\{[^}]*reason="garbage"\} 1\n/);
});

it("a head in single bytes is read as ever", async () => {
  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  await using backend = await startRawBackend(({ socket }) => {
    for (const [index, byte] of [...answer].entries()) setTimeout(() => socket.write(byte), index);
  });
  await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
  const request = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
  expect(await exchangeBytes(proxy.port, request, { deadlineMs: 5_000 })).toMatch(/^HTTP\/1\.1 200 .*ok$/s);
});
