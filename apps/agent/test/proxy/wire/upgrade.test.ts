import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import { badHost, closing, endsWithHead, forwarded, head, okClosing, via } from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const ask = (...lines: string[]): string => head("GET / HTTP/1.1", "Host: a", ...lines);
const asked = (protocol: string, ...lines: string[]): string =>
  head("GET / HTTP/1.1", "Host: a", ...lines, "Connection: Upgrade", `Upgrade: ${protocol}`, via);
const switching = (protocol: string, ...lines: string[]): string =>
  head("HTTP/1.1 101 Switching Protocols", ...lines, "Connection: Upgrade", `Upgrade: ${protocol}`);
/** Many times what is read before the answer. */
const flood = "early ".repeat(200_000);
const webSocket = ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"];
/** Exchanges a ping for a pong after 101; the backend ends. */
const tunnels = (
  name: string,
  rfc: string,
  sent: string[],
  reached: string,
  protocol = "websocket",
): WireCase => ({
  name,
  rfc,
  send: [ask(...sent), { seen: "\r\n\r\n" }, "ping"],
  answer: ({ socket, received }) =>
    void (received.endsWith("ping") ? socket.end("pong") : socket.write(switching(protocol, "X: 1"))),
  reaches: `${reached}ping`,
  sees: `${switching(protocol, "X: 1")}pong`,
});
/** Answered as the plain request that it also is. */
const plain = (name: string, rfc: string, sent: string[], reached: string[] = []): WireCase => ({
  name,
  rfc,
  send: ask(...sent, "Connection: close"),
  reaches: forwarded("GET / HTTP/1.1", "Host: a", ...reached),
  sees: okClosing,
});

const tunnelled: WireCase[] = [
  tunnels(
    "WebSocket",
    "RFC 6455, 4.1",
    ["Upgrade: websocket", "Connection: Upgrade", ...webSocket],
    asked("websocket", ...webSocket),
  ),
  tunnels(
    "with keep-alive beside it",
    "RFC 9110, 7.8",
    ["Connection: keep-alive, Upgrade", "Upgrade: websocket"],
    asked("websocket"),
  ),
  tunnels(
    "in capitals, in two lines",
    "RFC 9110, 7.6.1",
    ["Connection: keep-alive", "CONNECTION: UPGRADE", "UPGRADE: WebSocket"],
    asked("WebSocket"),
  ),
  tunnels(
    "another protocol",
    "RFC 9110, 7.8",
    ["Connection: Upgrade", "Upgrade: tcp/1"],
    asked("tcp/1"),
    "tcp/1",
  ),
  tunnels(
    "one of several",
    "RFC 9110, 7.8",
    ["Connection: Upgrade", "Upgrade: x, websocket"],
    asked("x, websocket"),
  ),
  tunnels(
    "several lines",
    "RFC 9110, 5.3",
    ["Connection: Upgrade", "Upgrade: x", "Upgrade: websocket"],
    asked("x, websocket"),
  ),
  tunnels(
    "what Connection names beside it goes",
    "RFC 9110, 7.6.1",
    ["Connection: Upgrade, X-A", "X-A: 1", "Upgrade: websocket"],
    asked("websocket"),
  ),
  {
    name: "bytes of both sides that come early",
    rfc: "RFC 9110, 7.8",
    send: `${ask("Connection: Upgrade", "Upgrade: x")}early`,
    answer: ({ socket, received }) =>
      void (received.endsWith("early") ? socket.end("late") : socket.write(`${switching("x")}soon `)),
    reaches: `${asked("x")}early`,
    sees: `${switching("x")}soon late`,
  },
  {
    name: "what the client sends before 101, in pieces",
    rfc: "RFC 9110, 7.8",
    send: [
      `${ask("Connection: Upgrade", "Upgrade: x")}one `,
      { reached: "posthouse\r\n\r\n" },
      "two ",
      "GET /three HTTP/1.1\r\nHost: a\r\n\r\n",
      { settle: true },
      { answered: switching("x") },
      { reached: "three" },
      "four",
    ],
    answer: ({ socket, received }) => void (received.endsWith("four") && socket.end("done")),
    reaches: `${asked("x")}one two GET /three HTTP/1.1\r\nHost: a\r\n\r\nfour`,
    sees: `${switching("x")}done`,
  },
  {
    name: "more than is kept before 101",
    rfc: "RFC 9110, 7.8",
    send: [
      ask("Connection: Upgrade", "Upgrade: x"),
      { reached: "posthouse\r\n\r\n" },
      `${flood}!`,
      { settle: true },
      { answered: switching("x") },
    ],
    answer: ({ socket, received }) => void (received.endsWith("!") && socket.end("done")),
    reaches: `${asked("x")}${flood}!`,
    sees: `${switching("x")}done`,
  },
  {
    name: "the client ends before 101",
    rfc: "RFC 9110, 7.8",
    send: [
      `${ask("Connection: Upgrade", "Upgrade: x")}bye`,
      { end: true },
      { reached: "posthouse\r\n\r\n" },
      { settle: true },
      { answered: switching("x") },
    ],
    answer: () => {},
    reaches: `${asked("x")}bye`,
    sees: switching("x"),
  },
  {
    name: "the client ends",
    rfc: "RFC 9110, 7.8",
    send: [ask("Connection: Upgrade", "Upgrade: x"), { seen: "\r\n\r\n" }, "bye", { end: true }],
    answer: ({ socket, received }) => void (received.endsWith("\r\n\r\n") && socket.write(switching("x"))),
    reaches: `${asked("x")}bye`,
    sees: switching("x"),
  },
  {
    name: "any bytes",
    rfc: "RFC 9110, 7.8",
    send: [
      ask("Connection: Upgrade", "Upgrade: x"),
      { seen: "\r\n\r\n" },
      "\0\xff\r\nGET / HTTP/1.1\r\n\r\n!",
    ],
    answer: ({ socket, received }) =>
      void (received.endsWith("!")
        ? socket.end("\x80\0")
        : endsWithHead(received) && socket.write(switching("x"))),
    reaches: `${asked("x")}\0\xff\r\nGET / HTTP/1.1\r\n\r\n!`,
    sees: `${switching("x")}\xc2\x80\0`,
  },
  {
    name: "103 before 101 is left out",
    rfc: "RFC 9110, 15.2",
    send: [ask("Connection: Upgrade", "Upgrade: x"), { seen: "hello" }],
    answer: ({ socket }) => void socket.end(`${head("HTTP/1.1 103 Early Hints")}${switching("x")}hello`),
    reaches: asked("x"),
    sees: `${switching("x")}hello`,
  },
];

const refusedUpgrade = (name: string, rfc: string, answer: string, sees: string): WireCase => ({
  name,
  rfc,
  send: `${ask("Connection: Upgrade", "Upgrade: websocket")}${ask()}`,
  answer: ({ socket, received }) =>
    void (received.endsWith("\r\n\r\n") && socket.write(Buffer.from(answer, "latin1"))),
  reaches: asked("websocket"),
  sees,
});

const refused: WireCase[] = [
  {
    name: "what was sent before the refusal, and behind it, is no request",
    rfc: "RFC 9110, 7.8",
    send: [
      ask("Connection: Upgrade", "Upgrade: websocket"),
      { reached: "posthouse\r\n\r\n" },
      ask(),
      { settle: true },
      { answered: head("HTTP/1.1 403 Forbidden", "Transfer-Encoding: chunked") },
      { seen: "close\r\n\r\n" },
      ask(),
      { settle: true },
      { answered: "2\r\nno\r\n0\r\n\r\n" },
    ],
    answer: () => {},
    reaches: asked("websocket"),
    sees: `${closing("HTTP/1.1 403 Forbidden")}no`,
  },
  {
    name: "behind more than is kept",
    rfc: "RFC 9110, 7.8",
    send: [
      ask("Connection: Upgrade", "Upgrade: websocket"),
      { reached: "posthouse\r\n\r\n" },
      flood,
      { settle: true },
      { answered: `${head("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no` },
    ],
    answer: () => {},
    reaches: asked("websocket"),
    sees: `${closing("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no`,
  },
  refusedUpgrade(
    "with an answer; what follows is no request",
    "RFC 9110, 7.8",
    `${head("HTTP/1.1 403 Forbidden", "X: 1", "Content-Length: 2")}no`,
    `${closing("HTTP/1.1 403 Forbidden", "X: 1", "Content-Length: 2")}no`,
  ),
  refusedUpgrade(
    "with 200",
    "RFC 9110, 7.8",
    `${head("HTTP/1.1 200 OK", "Set-Cookie: a", "Set-Cookie: b", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 200 OK", "Set-Cookie: a", "Set-Cookie: b", "Content-Length: 2")}ok`,
  ),
  refusedUpgrade(
    "with 426",
    "RFC 9110, 15.5.22",
    head("HTTP/1.1 426 Upgrade Required", "Connection: Upgrade", "Upgrade: y", "Content-Length: 0"),
    closing("HTTP/1.1 426 Upgrade Required", "Content-Length: 0"),
  ),
  refusedUpgrade(
    "with chunks",
    "RFC 9112, 7.1",
    `${head("HTTP/1.1 404 Not Found", "Transfer-Encoding: chunked")}2\r\nno\r\n0\r\n\r\n`,
    `${closing("HTTP/1.1 404 Not Found")}no`,
  ),
  refusedUpgrade(
    "with 304 and the length it would have",
    "RFC 9110, 8.6",
    head("HTTP/1.1 304 Not Modified", "Content-Length: 9"),
    closing("HTTP/1.1 304 Not Modified", "Content-Length: 9"),
  ),
  refusedUpgrade(
    "with garbage",
    "RFC 9112, 4",
    "garbage\r\n\r\n",
    head(
      "HTTP/1.1 502 Bad Gateway",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Length: 38",
      "Connection: close",
    ).concat("502 the backend gave no usable answer\n"),
  ),
  refusedUpgrade(
    "by another protocol than was asked for",
    "RFC 9110, 7.8",
    switching("y"),
    head(
      "HTTP/1.1 502 Bad Gateway",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Length: 38",
      "Connection: close",
    ).concat("502 the backend gave no usable answer\n"),
  ),
  refusedUpgrade(
    "by 101 without a protocol",
    "RFC 9110, 7.8",
    head("HTTP/1.1 101 Switching Protocols"),
    head(
      "HTTP/1.1 502 Bad Gateway",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Length: 38",
      "Connection: close",
    ).concat("502 the backend gave no usable answer\n"),
  ),
  {
    name: "an answer that breaks",
    rfc: "RFC 9112, 8",
    send: [
      ask("Connection: Upgrade", "Upgrade: x"),
      { reached: "posthouse\r\n\r\n" },
      { answered: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}2\r\nok\r\n` },
      { seen: "ok" },
      { answered: "x\r\n" },
    ],
    answer: () => {},
    reaches: asked("x"),
    sees: `${closing("HTTP/1.1 200 OK")}ok`,
    reset: true,
  },
  {
    name: "without a Host",
    rfc: "RFC 9112, 3.2",
    send: head("GET / HTTP/1.1", "Connection: Upgrade", "Upgrade: x"),
    reaches: "",
    sees: badHost,
  },
];

const ignored: WireCase[] = [
  plain("h2c", "RFC 9113, 3.1", [
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA",
  ]),
  plain("h2c in capitals", "RFC 9113, 3.1", ["Connection: Upgrade", "Upgrade: H2C"]),
  plain("h2c among others", "RFC 9113, 3.1", ["Connection: Upgrade", "Upgrade: websocket, h2c"]),
  plain("h2c in a second line", "RFC 9113, 3.1", [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Upgrade: h2c",
  ]),
  plain("Upgrade that Connection does not name", "RFC 9110, 7.8", ["Upgrade: websocket"]),
  plain("Connection that names no Upgrade", "RFC 9110, 7.8", ["Connection: Upgrade"]),
  // Node drops what stands behind such a request, so the connection ends.
  {
    name: "with a length",
    rfc: "RFC 9110, 7.8",
    send: `${head("POST / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Content-Length: 4")}body${ask()}`,
    reaches: `${forwarded("POST / HTTP/1.1", "Host: a", "Content-Length: 4")}body`,
    sees: okClosing,
  },
  {
    name: "with chunks",
    rfc: "RFC 9110, 7.8",
    send: `${head("POST / HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket", "Transfer-Encoding: chunked")}4\r\nbody\r\n0\r\n\r\n${ask()}`,
    reaches: `${head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", via)}4\r\nbody\r\n0\r\n\r\n`,
    sees: okClosing,
  },
  {
    name: "h2c with a request behind it",
    rfc: "RFC 9112, 9.3.2",
    send: ask("Connection: Upgrade", "Upgrade: h2c") + ask(),
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
    sees: okClosing,
  },
];

describe("upgrades", () => {
  it.each(tunnelled)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("refused upgrades", () => {
  it.each(refused)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("upgrades that are none", () => {
  it.each(ignored)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
