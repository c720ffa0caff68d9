/** What a backend sees with the default settings, and which backend it is. */

import { connect } from "node:net";
import { answerWith, startRawBackend } from "@posthouse/testkit/raw-backend";
import { exchangeBytes, parseAnswer, sendRaw } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../harness.ts";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import { head, ok, okClosing, withoutPseudonyms } from "./bytes.ts";

const added = (host: string): string[] => [
  "X-Forwarded-For: 127.0.0.1",
  "X-Forwarded-Proto: http",
  `X-Forwarded-Host: ${host}`,
  "Via: 1.1 posthouse",
];

const kept = { preserve_host: true, forwarded_for_strategy: "xforwarded" };
const cases: WireCase[] = [
  {
    name: "who asks, of whom, and by what",
    rfc: "RFC 9110, 7.6.3",
    send: head("GET /a HTTP/1.1", "Host: Shop.example:81", "Accept: */*", "Connection: close"),
    reaches: head("GET /a HTTP/1.1", "Host: Shop.example:81", "Accept: */*", ...added("Shop.example:81")),
    sees: okClosing,
  },
  {
    name: "what the client says of itself is replaced",
    rfc: "RFC 7239, 8.1",
    send: head(
      "GET / HTTP/1.1",
      "Host: a",
      "X-Forwarded-For: 6.6.6.6",
      "Forwarded: for=6.6.6.6",
      "X-Forwarded-Host: evil",
      "X_Forwarded_For: 6.6.6.6",
      "X-Real-IP: 6.6.6.6",
      "Connection: close, X-Forwarded-For",
    ),
    reaches: head("GET / HTTP/1.1", "Host: a", ...added("a")),
    sees: okClosing,
  },
  {
    name: "the host of absolute form, not that of Host",
    rfc: "RFC 9112, 3.2.2",
    send: head("GET http://b:82/c HTTP/1.1", "Host: a", "Connection: close"),
    reaches: head("GET /c HTTP/1.1", "Host: b:82", ...added("b:82")),
    sees: okClosing,
  },
];

describe("the request as a backend sees it", () => {
  let bench: WireBench;
  beforeAll(async () => {
    bench = await startWireBench({ host: kept });
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  it.each(cases)("$name ($rfc)", (wireCase) => bench.run(wireCase));

  it.each([
    ["GET / HTTP/1.1", "hOsT: shop.example", "shop.example"],
    ["GET http://b/ HTTP/1.1", "hOsT: shop.example", "b"],
  ])("names the backend as Host unless the client's is kept: %s", async (line, host, asked) => {
    await using backend = await startRawBackend(answerWith(ok));
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    await sendRaw(proxy.port, [line, host]);
    expect(withoutPseudonyms(backend.received)).toBe(
      head("GET / HTTP/1.1", `hOsT: 127.0.0.1:${backend.port}`, ...added(asked)),
    );
  });
});

describe("the backend that is asked", () => {
  const named = (name: string): string =>
    `${head("HTTP/1.1 200 OK", `Content-Length: ${name.length}`)}${name}`;

  it("is that of the host which the request names, by absolute form before Host", async () => {
    await using one = await startRawBackend(answerWith(named("one")));
    await using two = await startRawBackend(answerWith(named("two")));
    const site = {
      hosts: [
        { match: ["one.example"], forward: `http://127.0.0.1:${one.port}` },
        { match: ["two.example"], forward: `http://127.0.0.1:${two.port}` },
      ],
    };
    await using proxy = await startProxy({ forward: "", site });
    const ask = async (line: string, host: string): Promise<string> =>
      (await sendRaw(proxy.port, [line, `Host: ${host}`])).body;
    expect(await ask("GET / HTTP/1.1", "one.example")).toBe("one");
    expect(await ask("GET / HTTP/1.1", "TWO.example.:99")).toBe("two");
    expect(await ask("GET http://two.example/ HTTP/1.1", "one.example")).toBe("two");
    expect(await ask("GET http://two.example/%zz HTTP/1.1", "one.example")).toMatch(
      /neither a path nor a URL/,
    );
    expect(await ask("GET /%zz HTTP/1.1", "one.example")).toBe("one");
    expect(await ask("GET http://one.example@two.example/ HTTP/1.1", "one.example")).toMatch(
      /neither a path/,
    );
    expect(await ask("GET / HTTP/1.1", "three.example")).toBe("not found\n");
    expect(await ask("OPTIONS * HTTP/1.1", "three.example")).toBe("");
  });

  it("is asked the same by requests on one connection to different hosts", async () => {
    await using one = await startRawBackend(answerWith(named("one")));
    await using two = await startRawBackend(answerWith(named("two")));
    const site = {
      hosts: [
        { match: ["one.example"], forward: `http://127.0.0.1:${one.port}` },
        { match: ["*"], forward: `http://127.0.0.1:${two.port}` },
      ],
    };
    await using proxy = await startProxy({ forward: "", site });
    const requests = ["one.example", "two.example", "one.example"].map((host) =>
      head("GET / HTTP/1.1", `Host: ${host}`),
    );
    const text = await exchangeBytes(
      proxy.port,
      requests.join("") + head("GET / HTTP/1.1", "Host: x", "Connection: close"),
    );
    expect(text.match(/one|two/g)).toEqual(["one", "two", "one", "two"]);
  });
});

describe("a refused upgrade", () => {
  it("leaves no connection behind, also when the client goes on sending", async () => {
    await using backend = await startRawBackend(
      answerWith(`${head("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no`),
    );
    await using proxy = await startProxy({ forward: `http://127.0.0.1:${backend.port}` });
    let seen = "";
    let closed = false;
    const socket = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true });
    socket
      .on("error", () => {})
      .on("close", () => {
        closed = true;
      });
    socket.on("data", (data) => {
      seen += data.toString("latin1");
    });
    socket.write(head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: x"));
    const trickle = setInterval(() => socket.write("x"), 50);
    try {
      await until("the connection is cut", async () => closed);
    } finally {
      clearInterval(trickle);
      socket.destroy();
    }
    expect(parseAnswer(seen)).toMatchObject({ status: 403, body: "no" });
    expect(backend.received).not.toContain("xx");
    const openConnections = /posthouse_http_open_connections\{listener="site[^}]*\} 0\n/;
    await until("it is counted as closed", async () => openConnections.test(await proxy.metrics()));
  });
});
