/**
 * The same bytes through Posthouse, nginx and HAProxy, each before a backend of its own. Of ours the exact bytes that
 * reach the backend are stated; and no backend of ours may see more requests than that of the strictest peer.
 * SMUGGLING_TABLE=1 prints what reached each.
 */
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { answerWith, type RawBackend, requestLength, startRawBackend } from "@posthouse/testkit/raw-backend";
import { needPackage, startHaproxy, startNginx } from "@posthouse/testkit/services";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startProxy } from "../harness.ts";
import { forwarded, head, ok, via, withoutPseudonyms } from "./bytes.ts";

/** The request that nobody but an attacker sent. */
const poison = head("GET /poison HTTP/1.1", "Host: a");
const size = poison.length;
const chunk = `${size.toString(16)}\r\n${poison}\r\n`;
const last = "0\r\n\r\n";
const post = (...lines: string[]): string => head("POST / HTTP/1.1", "Host: a", ...lines);
const got = (...lines: string[]): string => forwarded("POST / HTTP/1.1", "Host: a", ...lines);
const gotChunked = head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", via);
const webSocket = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];

interface SmugglingCase {
  readonly name: string;
  readonly rfc: string;
  readonly send: string;
  /** What reaches our backend; several requests are alternately a request and the next. */
  readonly reaches: string;
}

/** A length and a Transfer-Encoding that one server sees and another does not: refused, whichever is meant. */
const hidden = (name: string, ...lines: string[]): SmugglingCase => ({
  name: `TE.TE: ${name}`,
  rfc: "RFC 9112, 6.1",
  send: `${post("Content-Length: 5", ...lines)}${last}${poison}`,
  reaches: "",
});
const refused = (name: string, rfc: string, send: string): SmugglingCase => ({
  name,
  rfc,
  send,
  reaches: "",
});

const cases: SmugglingCase[] = [
  refused(
    "CL.TE",
    "RFC 9112, 6.1",
    `${post(`Content-Length: ${size + 5}`, "Transfer-Encoding: chunked")}${last}${poison}`,
  ),
  refused(
    "CL.TE, the length last",
    "RFC 9112, 6.1",
    `${post("Transfer-Encoding: chunked", `Content-Length: ${size + 5}`)}${last}${poison}`,
  ),
  refused(
    "TE.CL",
    "RFC 9112, 6.1",
    `${post("Content-Length: 4", "Transfer-Encoding: chunked")}${chunk}${last}`,
  ),
  refused(
    "TE.CL, the length last",
    "RFC 9112, 6.1",
    `${post("Transfer-Encoding: chunked", "Content-Length: 4")}${chunk}${last}`,
  ),
  refused(
    "TE.0",
    "RFC 9112, 6.1",
    `${head("OPTIONS / HTTP/1.1", "Host: a", "Content-Length: 0", "Transfer-Encoding: chunked")}${chunk}${last}`,
  ),
  hidden("xchunked", "Transfer-Encoding: xchunked"),
  hidden("a space before the colon", "Transfer-Encoding : chunked"),
  hidden("a tab before the colon", "Transfer-Encoding\t: chunked"),
  hidden("a tab behind the colon", "Transfer-Encoding:\tchunked"),
  hidden("no space behind the colon", "Transfer-Encoding:chunked"),
  hidden("a vertical tab", "Transfer-Encoding: \x0bchunked"),
  hidden("a form feed", "Transfer-Encoding: \x0cchunked"),
  hidden("NEL", "Transfer-Encoding: \x85chunked"),
  hidden("a no-break space", "Transfer-Encoding: chunked\xa0"),
  hidden("NUL", "Transfer-Encoding: chunked\0"),
  hidden("NUL in the name", "Transfer-Encoding\0: chunked"),
  hidden("a space before the name", " Transfer-Encoding: chunked"),
  hidden("folded", "Transfer-Encoding:", " chunked"),
  hidden("folded name", "Transfer-Encoding", " : chunked"),
  hidden("behind a bare LF", "X: 1\nTransfer-Encoding: chunked"),
  hidden("behind a bare CR", "X: 1\rTransfer-Encoding: chunked"),
  hidden("behind CR CR LF", "X: 1\r", "Transfer-Encoding: chunked"),
  hidden("quoted", 'Transfer-Encoding: "chunked"'),
  hidden("single quotes", "Transfer-Encoding: 'chunked'"),
  hidden("two, the second odd", "Transfer-Encoding: chunked", "Transfer-Encoding: cow"),
  hidden("two, the first odd", "Transfer-Encoding: cow", "Transfer-Encoding: chunked"),
  hidden("identity, chunked", "Transfer-Encoding: identity, chunked"),
  hidden("chunked, identity", "Transfer-Encoding: chunked, identity"),
  hidden("chunked, chunked", "Transfer-Encoding: chunked, chunked"),
  hidden("a comma before", "Transfer-Encoding: , chunked"),
  hidden("a parameter", "Transfer-Encoding: chunked;q=1"),
  hidden("capitals", "TRANSFER-ENCODING: CHUNKED"),
  hidden("named by Connection", "Connection: Transfer-Encoding", "Transfer-Encoding: chunked"),
  {
    name: "TE.TE: an underscore is another header",
    rfc: "RFC 9110, 5.1",
    send: `${post("Content-Length: 5", "Transfer_Encoding: chunked", "Connection: close")}${last}${poison}`,
    reaches: `${got("Content-Length: 5", "Transfer_Encoding: chunked")}${last}`,
  },
  refused("CL.CL", "RFC 9112, 6.3", `${post("Content-Length: 0", `Content-Length: ${size}`)}${poison}`),
  refused("CL.CL in one line", "RFC 9112, 6.3", `${post(`Content-Length: 0, ${size}`)}${poison}`),
  refused(
    "CL.CL in other case",
    "RFC 9112, 6.3",
    `${post(`content-length: ${size}`, "CONTENT-LENGTH: 0")}${poison}`,
  ),
  refused("a length with a plus", "RFC 9112, 6.3", `${post(`Content-Length: +${size}`)}${poison}`),
  refused(
    "a length in hexadecimal",
    "RFC 9112, 6.3",
    `${post(`Content-Length: 0x${size.toString(16)}`)}${poison}`,
  ),
  refused("a length with an underscore", "RFC 9112, 6.3", `${post("Content-Length: 0_1")}${poison}`),
  refused("a length with a space", "RFC 9112, 6.3", `${post("Content-Length: 0 1")}${poison}`),
  refused("a length that is folded", "RFC 9112, 5.2", `${post("Content-Length: 0", ` ${size}`)}${poison}`),
  refused(
    "0.CL: a space before the colon",
    "RFC 9112, 5.1",
    `${head("GET / HTTP/1.1", "Host: a", `Content-Length : ${size}`)}${poison}`,
  ),
  refused(
    "0.CL: a NUL in the name",
    "RFC 9112, 5.1",
    `${head("GET / HTTP/1.1", "Host: a", `Content-Length\0: ${size}`)}${poison}`,
  ),
  refused(
    "0.CL: folded",
    "RFC 9112, 5.2",
    `${head("GET / HTTP/1.1", "Host: a", "Content-Length:", ` ${size}`)}${poison}`,
  ),
  {
    name: "0.CL: a GET with a body",
    rfc: "RFC 9110, 9.3.1",
    send: `${head("GET / HTTP/1.1", "Host: a", `Content-Length: ${size}`, "Connection: close")}${poison}`,
    reaches: `${forwarded("GET / HTTP/1.1", "Host: a", `Content-Length: ${size}`)}${poison}`,
  },
  {
    name: "CL.0: a POST whose body is a request",
    rfc: "RFC 9112, 6.3",
    send: `${post(`Content-Length: ${size}`, "Connection: close")}${poison}`,
    reaches: `${got(`Content-Length: ${size}`)}${poison}`,
  },
  {
    name: "CL.0: the length named by Connection",
    rfc: "RFC 9110, 7.6.1",
    send: `${post(`Content-Length: ${size}`, "Connection: close, Content-Length")}${poison}`,
    reaches: `${got(`Content-Length: ${size}`)}${poison}`,
  },
  {
    name: "TE.0: Transfer-Encoding named by Connection",
    rfc: "RFC 9110, 7.6.1",
    send: `${post("Transfer-Encoding: chunked", "Connection: close, Transfer-Encoding")}${chunk}${last}`,
    reaches: `${gotChunked}${chunk}${last}`,
  },
  refused(
    "HTTP/1.0 with chunks",
    "RFC 9112, 6.1",
    `${head("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked")}${last}${poison}`,
  ),
  {
    name: "a chunk extension with a request in it",
    rfc: "RFC 9112, 7.1.1",
    send: `${post("Transfer-Encoding: chunked", "Connection: close")}1;a="GET /poison HTTP/1.1"\r\nx\r\n${last}`,
    reaches: `${gotChunked}1\r\nx\r\n${last}`,
  },
  refused(
    "a bare LF ends a chunk's extension",
    "RFC 9112, 7.1.1",
    `${post("Transfer-Encoding: chunked")}2;\nxx\r\n${chunk}${last}`,
  ),
  refused(
    "a bare LF behind a chunk's size",
    "RFC 9112, 7.1",
    `${post("Transfer-Encoding: chunked")}2\nxx\r\n${last}${poison}`,
  ),
  refused(
    "a bare CR behind a chunk's size",
    "RFC 9112, 7.1",
    `${post("Transfer-Encoding: chunked")}2\rxx\r\n${last}${poison}`,
  ),
  refused(
    "a chunk's size with 0x",
    "RFC 9112, 7.1",
    `${post("Transfer-Encoding: chunked")}0x2\r\nxx\r\n${last}${poison}`,
  ),
  refused(
    "a chunk's size beyond 64 bits",
    "RFC 9112, 7.1",
    `${post("Transfer-Encoding: chunked")}10000000000000000\r\n${poison}`,
  ),
  {
    name: "a chunk longer than its size",
    rfc: "RFC 9112, 7.1",
    send: `${post("Transfer-Encoding: chunked")}1\r\nxx\r\n${last}${poison}`,
    reaches: "",
  },
  refused(
    "a bare LF as the last line's end",
    "RFC 9112, 7.1",
    `${post("Transfer-Encoding: chunked")}0\n\n${poison}`,
  ),
  refused(
    "a length in the trailers",
    "RFC 9110, 6.5.1",
    `${post("Transfer-Encoding: chunked")}0\r\nContent-Length: ${size}\r\n\r\n${poison}`,
  ),
  refused("a bare LF as the empty line", "RFC 9112, 2.2", `GET / HTTP/1.1\r\nHost: a\r\n\n${poison}`),
  refused("bare LFs everywhere", "RFC 9112, 2.2", `GET / HTTP/1.1\nHost: a\n\n${poison}`),
  refused("two Hosts", "RFC 9112, 3.2", head("GET / HTTP/1.1", "Host: a", "Host: b")),
  refused("two versions", "RFC 9112, 3", head("GET / HTTP/1.1 HTTP/1.1", "Host: a")),
  refused("a target with a line end", "RFC 9112, 3", `GET /\rX: y HTTP/1.1\r\nHost: a\r\n\r\n`),
  {
    name: "a request behind a refused upgrade",
    rfc: "RFC 9110, 7.8",
    send: `${head("GET / HTTP/1.1", "Host: a", ...webSocket, "Connection: Upgrade", "Upgrade: websocket")}${poison}`,
    reaches: head(
      "GET / HTTP/1.1",
      "Host: a",
      ...webSocket,
      "Connection: Upgrade",
      "Upgrade: websocket",
      via,
    ),
  },
  {
    name: "a request behind h2c",
    rfc: "RFC 9113, 3.1",
    send: `${head("GET / HTTP/1.1", "Host: a", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")}${poison}`,
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
  },
  {
    name: "a request behind Connection: close",
    rfc: "RFC 9112, 9.6",
    send: `${head("GET / HTTP/1.1", "Host: a", "Connection: close")}${poison}`,
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
  },
  {
    name: "a body that is too short",
    rfc: "RFC 9112, 8",
    send: `${post(`Content-Length: ${size + 10}`)}${poison}`,
    reaches: `${got(`Content-Length: ${size + 10}`)}${poison}`,
  },
];

interface Subject extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly backend: RawBackend;
}

const [nginx, haproxy] = [await needPackage("nginx-light", "nginx"), await needPackage("haproxy", "haproxy")];
for (const found of [nginx, haproxy]) if ("missing" in found) console.warn(`NOT COMPARED: ${found.missing}`);

let ours: Subject;
const peers: Subject[] = [];

beforeAll(async () => {
  const host = { preserve_host: true, forwarded_for_strategy: "none" };
  ours = await subject("posthouse", (port) =>
    startProxy({ forward: { upstreams: [`http://127.0.0.1:${port}`], connections: { idle: 0 } }, host }),
  );
  if ("path" in nginx) {
    const server = (port: number, backend: number): string =>
      `server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${backend}; proxy_http_version 1.1;
        proxy_request_buffering off; proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade; } }`;
    peers.push(
      await subject("nginx", (backend) =>
        startNginx({ path: nginx.path, http: (port) => server(port, backend) }),
      ),
    );
  }
  if ("path" in haproxy) {
    const config = (port: number, backend: number): string => `defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen proxy
  bind 127.0.0.1:${port}
  server backend 127.0.0.1:${backend}
`;
    peers.push(
      await subject("haproxy", (backend) =>
        startHaproxy({ path: haproxy.path, config: (port) => config(port, backend) }),
      ),
    );
  }
});
afterAll(async () => {
  for (const each of [ours, ...peers]) await each[Symbol.asyncDispose]();
});

async function subject(
  name: string,
  start: (backendPort: number) => Promise<AsyncDisposable & { readonly port: number }>,
): Promise<Subject> {
  const backend = await startRawBackend(answerWith(ok));
  const proxy = await start(backend.port);
  return {
    name,
    port: proxy.port,
    backend,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

const quietMs = 300;
const longestMs = 10_000;

/** What reaches the backend, by connection, until nothing has moved for a while. */
async function reached({ port, backend }: Subject, bytes: string): Promise<string[]> {
  const before = backend.connections.length;
  const now = (): string[] =>
    backend.connections.slice(before).map(({ received }) => withoutPseudonyms(received));
  let seen = 0;
  let closed = false;
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
    .on("data", (data) => {
      seen += data.length;
    })
    .on("error", () => {})
    .on("close", () => {
      closed = true;
    });
  socket.write(Buffer.from(bytes, "latin1"));
  let state = "";
  let quietSince = performance.now();
  for (const end = quietSince + longestMs; performance.now() < end; await sleep(20)) {
    const next = `${seen} ${closed} ${now().join("")}`;
    if (next !== state) quietSince = performance.now();
    state = next;
    // Somebody who says nothing at all is waiting, or has not been given the processor yet.
    const enough = closed ? quietMs / 3 : seen > 0 ? quietMs : quietMs * 3;
    if (performance.now() - quietSince > enough) break;
  }
  socket.destroy();
  return now();
}

/** How many whole requests a plain backend understands. */
function countRequests(received: readonly string[]): number {
  let count = 0;
  for (let text of received) {
    for (let length = requestLength(text); length !== undefined; length = requestLength(text)) {
      count += 1;
      text = text.slice(length);
    }
  }
  return count;
}

describe("request smuggling", () => {
  it.each(cases)("$name ($rfc)", async ({ name, send, reaches }) => {
    const [received = [], ...theirs] = await Promise.all([ours, ...peers].map((each) => reached(each, send)));
    expect(received.join(""), JSON.stringify(received)).toBe(reaches);
    if (process.env.SMUGGLING_TABLE) {
      const row = [received, ...theirs].map(
        (each) => `${countRequests(each)} ${JSON.stringify(each.join(""))}`,
      );
      process.stderr.write(`| ${[name, ...row].join(" | ")} |\n`);
    }
    if (theirs.length > 0)
      expect(countRequests(received), JSON.stringify(theirs)).toBeLessThanOrEqual(
        Math.min(...theirs.map(countRequests)),
      );
  });
});
