/** A 304 says of its resource what the 200 said that the client has (RFC 9110, 15.4.5). */
import { startRawBackend } from "@posthouse/testkit/raw-backend";
import { sendRaw } from "@posthouse/testkit/raw-http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ProxyHarness, startProxy } from "./proxy/harness.ts";

const bodies: Readonly<Record<string, readonly [type: string, body: string]>> = {
  "/page": ["text/html", "All work and no play. ".repeat(100)],
  "/short": ["text/html", "short"],
  "/picture": ["image/png", "x".repeat(3000)],
};
const tag = '"v1"';

let proxy: ProxyHarness;
let backend: Awaited<ReturnType<typeof startRawBackend>>;
beforeAll(async () => {
  backend = await startRawBackend(({ socket, received }) => {
    if (!received.endsWith("\r\n\r\n")) return;
    const request = received.slice(received.lastIndexOf("GET /"));
    const [, path = ""] = /^GET (\S+)/.exec(request) ?? [];
    const [type, body] = bodies[path.replace(/-typed$/, "")] ?? ["", ""];
    const typed = path.endsWith("-typed") ? `Content-Type: ${type}\r\n` : "";
    if (/if-none-match/i.test(request))
      socket.write(`HTTP/1.1 304 Not Modified\r\nETag: ${tag}\r\n${typed}\r\n`);
    else
      socket.write(
        `HTTP/1.1 200 OK\r\nETag: ${tag}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
  });
  proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}`, host: { compress: true } });
});
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

async function ask(path: string, ...lines: string[]): Promise<(string | undefined)[]> {
  const answer = await sendRaw(proxy.port, [`GET ${path} HTTP/1.1`, "Host: a", ...lines]);
  return [answer.text.slice(9, 12), answer.header("etag"), answer.header("vary")];
}

describe.each(["", "-typed"])("a 304%s", (suffix) => {
  it.each([
    ["a page that was compressed", "/page", "Accept-Encoding: br", [`W/${tag}`, "Accept-Encoding"]],
    ["a page for a client that takes it as it is", "/page", "Accept: */*", [tag, "Accept-Encoding"]],
    ["a picture", "/picture", "Accept-Encoding: br", [tag, undefined]],
  ])("of %s has the tag and the Vary of the 200", async (_, path, header, wanted) => {
    const [, first, vary] = await ask(`${path}${suffix}`, header);
    expect([first, vary]).toEqual(wanted);
    expect(await ask(`${path}${suffix}`, header, `If-None-Match: "other", ${first}`)).toEqual([
      "304",
      ...wanted,
    ]);
  });
});

it("a 304 of an answer that is too short keeps its tag", async () => {
  expect(await ask("/short", "Accept-Encoding: br")).toEqual(["200", tag, undefined]);
  expect(await ask("/short", "Accept-Encoding: br", `If-None-Match: ${tag}`)).toEqual([
    "304",
    tag,
    undefined,
  ]);
});
