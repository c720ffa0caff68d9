import type { RawScript } from "@posthouse/testkit/raw-backend";
import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import {
  badGateway,
  badRequest,
  closing,
  forwarded,
  head,
  keeping,
  ok,
  okClosing,
  okKeeping,
  via,
} from "./bytes.ts";

let bench: WireBench;
/** One that keeps its connections to the backend. */
let reusing: WireBench;
beforeAll(async () => {
  bench = await startWireBench();
  reusing = await startWireBench({ forward: { connections: { idle: 8 } } });
});
afterAll(async () => {
  await bench[Symbol.asyncDispose]();
  await reusing[Symbol.asyncDispose]();
});

const get = (path: string, ...lines: string[]): string => head(`GET ${path} HTTP/1.1`, "Host: a", ...lines);
const post = (path: string, body: string, ...lines: string[]): string =>
  head(`POST ${path} HTTP/1.1`, "Host: a", ...lines, `Content-Length: ${body.length}`) + body;
const gotGet = (path: string): string => forwarded(`GET ${path} HTTP/1.1`, "Host: a");
const gotPost = (path: string, body: string): string =>
  forwarded(`POST ${path} HTTP/1.1`, "Host: a", `Content-Length: ${body.length}`) + body;

/** Answers each request with its own path as the body, after a while that is shorter for later ones. */
const slowThenFast: RawScript = ({ socket, received }) => {
  if (!received.endsWith("\r\n\r\n") && !received.endsWith("body")) return;
  const path = /^\w+ (\S+) /.exec(received)?.[1] ?? "";
  setTimeout(
    () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${path.length}\r\n\r\n${path}`),
    path === "/1" ? 100 : 0,
  );
};
const answered = (path: string, close = false): string =>
  `${(close ? closing : keeping)("HTTP/1.1 200 OK", `Content-Length: ${path.length}`)}${path}`;

const keepAlive: WireCase[] = [
  {
    name: "goes on by itself in HTTP/1.1",
    rfc: "RFC 9112, 9.3",
    send: get("/"),
    reaches: gotGet("/"),
    sees: okKeeping,
    open: true,
  },
  {
    name: "ends when the client says close",
    rfc: "RFC 9112, 9.6",
    send: get("/", "Connection: close"),
    reaches: gotGet("/"),
    sees: okClosing,
  },
  {
    name: "ends when one of several options is close",
    rfc: "RFC 9110, 7.6.1",
    send: get("/", "Connection: x, CLOSE"),
    reaches: gotGet("/"),
    sees: okClosing,
  },
  {
    name: "one after the other",
    rfc: "RFC 9112, 9.3",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "the client's stays when the backend closes its own",
    rfc: "RFC 9112, 9.6",
    send: get("/"),
    answer: `${head("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: close")}ok`,
    reaches: gotGet("/"),
    sees: okKeeping,
    open: true,
  },
  {
    name: "the client's stays when the answer ends with the backend's",
    rfc: "RFC 9112, 9.6",
    send: get("/"),
    answer: ({ socket }) => void socket.end(`${head("HTTP/1.1 200 OK")}ok`),
    reaches: gotGet("/"),
    sees: `${keeping("HTTP/1.1 200 OK").replace(/\r\n$/, "Transfer-Encoding: chunked\r\n\r\n")}2\r\nok\r\n0\r\n\r\n`,
    open: true,
  },
  {
    name: "after a body that was read",
    rfc: "RFC 9112, 9.3",
    send: [post("/1", "body"), { seen: "ok" }, get("/2", "Connection: close")],
    reaches: [gotPost("/1", "body"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "a connection that sends nothing but its end",
    rfc: "RFC 9112, 9.6",
    send: [{ end: true }],
    reaches: "",
    sees: "",
  },
];

const pipelined: WireCase[] = [
  {
    name: "in order, though the second is faster",
    rfc: "RFC 9112, 9.3.2",
    send: get("/1") + get("/22", "Connection: close"),
    answer: slowThenFast,
    reaches: [gotGet("/1"), gotGet("/22")],
    sees: answered("/1") + answered("/22", true),
  },
  {
    name: "a POST waits for what came before",
    rfc: "RFC 9112, 9.3.2",
    send: [get("/1") + post("/22", "body", "Connection: close"), { seen: "/1" }],
    answer: slowThenFast,
    reaches: [gotGet("/1"), gotPost("/22", "body")],
    sees: answered("/1") + answered("/22", true),
  },
  {
    name: "what stands behind a close is not answered",
    rfc: "RFC 9112, 9.6",
    send: get("/1", "Connection: close") + get("/2"),
    reaches: gotGet("/1"),
    sees: okClosing,
  },
  {
    name: "garbage behind a request: its answer comes first",
    rfc: "RFC 9112, 9.3.2",
    send: `${get("/1")}garbage\r\n\r\n`,
    answer: slowThenFast,
    reaches: gotGet("/1"),
    sees: answered("/1") + badRequest,
  },
  {
    name: "garbage behind two requests",
    rfc: "RFC 9112, 9.3.2",
    send: `${get("/1")}${get("/22")}garbage\r\n\r\n`,
    answer: slowThenFast,
    reaches: [gotGet("/1"), gotGet("/22")],
    sees: answered("/1") + answered("/22") + badRequest,
  },
  {
    name: "a broken body behind a request",
    rfc: "RFC 9112, 7.1",
    send: `${get("/1")}${head("POST /2 HTTP/1.1", "Host: a", "Transfer-Encoding: chunked")}x\r\n`,
    answer: slowThenFast,
    reaches: gotGet("/1"),
    sees: answered("/1") + badRequest,
  },
  {
    name: "garbage while an answer is under way cuts nothing short",
    rfc: "RFC 9112, 9.3.2",
    send: [
      get("/1"),
      { reached: "posthouse\r\n\r\n" },
      { answered: `${head("HTTP/1.1 200 OK", "Content-Length: 4")}ab` },
      { seen: "ab" },
      "garbage\r\n\r\n",
      { answered: "cd" },
    ],
    answer: () => {},
    reaches: gotGet("/1"),
    sees: `${keeping("HTTP/1.1 200 OK", "Content-Length: 4")}abcd${badRequest}`,
  },
  {
    name: "a body that breaks while the answer is under way",
    rfc: "RFC 9112, 7.1",
    send: [
      head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked"),
      { reached: "posthouse\r\n\r\n" },
      { answered: `${head("HTTP/1.1 200 OK", "Content-Length: 4")}ab` },
      { seen: "ab" },
      "x\r\n",
    ],
    answer: () => {},
    reaches: head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", via),
    sees: `${closing("HTTP/1.1 200 OK", "Content-Length: 4")}ab`,
  },
  {
    name: "an upgrade behind a request is a plain request",
    rfc: "RFC 9110, 7.8",
    send: get("/1") + get("/22", "Connection: upgrade, close", "Upgrade: websocket"),
    answer: slowThenFast,
    reaches: [gotGet("/1"), gotGet("/22")],
    sees: answered("/1") + answered("/22", true),
  },
  {
    name: "a hundred",
    rfc: "RFC 9112, 9.3.2",
    send: get("/").repeat(99) + get("/", "Connection: close"),
    reaches: gotGet("/").repeat(100),
    sees: okKeeping.repeat(99) + okClosing,
  },
];

const http10: WireCase[] = [
  {
    name: "an old client is forwarded as HTTP/1.1, with the backend's connection kept",
    rfc: "RFC 9112, 2.3",
    send: head("GET / HTTP/1.0", "Host: a"),
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: okClosing,
  },
  {
    name: "an old client that asks for keep-alive",
    rfc: "RFC 9112, C.2.2",
    send: head("GET / HTTP/1.0", "Host: a", "Connection: keep-alive"),
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: okKeeping,
    open: true,
  },
  {
    name: "an old client without Host",
    rfc: "RFC 9112, 3.2",
    send: head("GET / HTTP/1.0"),
    reaches: head("GET / HTTP/1.1", "Host: ", "Via: 1.0 posthouse"),
    sees: okClosing,
  },
  {
    name: "an old client gets no chunks",
    rfc: "RFC 9112, 7.1",
    send: head("GET / HTTP/1.0", "Host: a", "Connection: keep-alive"),
    answer: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}2\r\nok\r\n0\r\nX: 1\r\n\r\n`,
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: `${closing("HTTP/1.1 200 OK")}ok`,
  },
  {
    name: "an old client whose answer breaks is not told that it ended",
    rfc: "RFC 9112, 8",
    send: [
      head("GET / HTTP/1.0", "Host: a"),
      { reached: "posthouse\r\n\r\n" },
      { answered: `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked")}2\r\nok\r\n` },
      { seen: "ok" },
      { answered: "x\r\n" },
    ],
    answer: () => {},
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: `${closing("HTTP/1.1 200 OK")}ok`,
    reset: true,
  },
  {
    name: "an old client with a body",
    rfc: "RFC 9112, 6.3",
    send: `${head("POST / HTTP/1.0", "Host: a", "Content-Length: 4")}body`,
    reaches: `${head("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "Via: 1.0 posthouse")}body`,
    sees: okClosing,
  },
  {
    name: "an old client sees no 1xx",
    rfc: "RFC 9110, 15.2",
    send: head("GET / HTTP/1.0", "Host: a"),
    answer: `${head("HTTP/1.1 103 Early Hints", "Link: x")}${ok}`,
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: okClosing,
  },
  {
    name: "an old client cannot upgrade",
    rfc: "RFC 9110, 7.8",
    send: head("GET / HTTP/1.0", "Host: a", "Connection: Upgrade", "Upgrade: websocket"),
    reaches: head("GET / HTTP/1.1", "Host: a", "Via: 1.0 posthouse"),
    sees: okClosing,
  },
  {
    name: "an old backend",
    rfc: "RFC 9112, 2.3",
    send: get("/"),
    answer: ({ socket }) => void socket.end(`${head("HTTP/1.0 200 OK", "Content-Length: 2")}ok`),
    reaches: gotGet("/"),
    sees: okKeeping,
    open: true,
  },
  {
    name: "an old backend whose answer ends with the connection",
    rfc: "RFC 9112, 6.3",
    send: get("/", "Connection: close"),
    answer: ({ socket }) => void socket.end(`${head("HTTP/1.0 200 OK")}ok`),
    reaches: gotGet("/"),
    sees: `${closing("HTTP/1.1 200 OK").replace(/\r\n$/, "Transfer-Encoding: chunked\r\n\r\n")}2\r\nok\r\n0\r\n\r\n`,
  },
];

const reuse: WireCase[] = [
  {
    name: "a kept connection is used again",
    rfc: "RFC 9112, 9.3",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    reaches: [gotGet("/1") + gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "not after close",
    rfc: "RFC 9112, 9.6",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: `${head("HTTP/1.1 200 OK", "Content-Length: 2", "Connection: x, Close")}ok`,
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "not in HTTP/1.0",
    rfc: "RFC 9112, 9.3",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: `${head("HTTP/1.0 200 OK", "Content-Length: 2")}ok`,
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "in HTTP/1.0 with keep-alive",
    rfc: "RFC 9112, C.2.2",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: `${head("HTTP/1.0 200 OK", "Content-Length: 2", "Connection: keep-alive")}ok`,
    reaches: [gotGet("/1") + gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "not after chunks in HTTP/1.0",
    rfc: "RFC 9112, 6.1",
    send: [get("/1"), { seen: "0\r\n\r\n" }, get("/2", "Connection: close")],
    answer: `${head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive")}0\r\n\r\n`,
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: [keeping, closing]
      .map((format) =>
        format("HTTP/1.1 200 OK").replace(/\r\n$/, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      )
      .join(""),
  },
  {
    name: "not after bytes too many",
    rfc: "RFC 9112, 9.2",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: `${ok}${head("HTTP/1.1 200 OK", "Content-Length: 0")}`,
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "not after a body where there is none",
    rfc: "RFC 9112, 6.3",
    send: [get("/1"), { seen: "\r\n\r\n" }, get("/2", "Connection: close")],
    answer: `${head("HTTP/1.1 304 Not Modified", "Content-Length: 2")}ok`,
    reaches: [gotGet("/1"), gotGet("/2")],
    sees:
      keeping("HTTP/1.1 304 Not Modified", "Content-Length: 2") +
      closing("HTTP/1.1 304 Not Modified", "Content-Length: 2"),
  },
  {
    name: "not when the request was not read whole",
    rfc: "RFC 9112, 9.6",
    send: [
      `${head("POST /1 HTTP/1.1", "Host: a", "Content-Length: 4")}bo`,
      { seen: "ok" },
      `dy${get("/2", "Connection: close")}`,
    ],
    answer: ({ socket, received }) => void (/bo$|\r\n\r\n$/.test(received) && socket.write(ok)),
    reaches: [`${forwarded("POST /1 HTTP/1.1", "Host: a", "Content-Length: 4")}bo`, gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "bytes on an idle connection are no answer",
    rfc: "RFC 9112, 9.2",
    send: [
      get("/1"),
      { seen: "ok" },
      { answered: `${head("HTTP/1.1 200 OK", "Content-Length: 6")}poison` },
      { letGo: true },
      get("/2", "Connection: close"),
    ],
    reaches: [gotGet("/1"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "one that was closed meanwhile: a GET is sent again",
    rfc: "RFC 9110, 9.2.2",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: ({ socket, received }, index) =>
      void (received.split("\r\n\r\n").length > 2 ? socket.destroy() : socket.write(ok, () => index)),
    reaches: [gotGet("/1") + gotGet("/2"), gotGet("/2")],
    sees: okKeeping + okClosing,
  },
  {
    name: "one that was closed meanwhile: a POST is not",
    rfc: "RFC 9110, 9.2.2",
    send: [get("/1"), { seen: "ok" }, post("/2", "body", "Connection: close")],
    answer: ({ socket, received }) =>
      void (received.endsWith("body") ? socket.destroy() : !received.includes("POST") && socket.write(ok)),
    reaches: [`${gotGet("/1")}${gotPost("/2", "body")}`],
    sees: okKeeping + badGateway,
  },
  {
    name: "a fresh connection that is closed: nothing is sent again",
    rfc: "RFC 9110, 9.2.2",
    send: get("/", "Connection: close"),
    answer: ({ socket }) => void socket.destroy(),
    reaches: gotGet("/"),
    sees: badGateway,
  },
  {
    name: "an answer that was begun is not asked for again",
    rfc: "RFC 9110, 9.2.2",
    send: [get("/1"), { seen: "ok" }, get("/2", "Connection: close")],
    answer: ({ socket, received }) =>
      void (received.split("\r\n\r\n").length > 2 ? socket.end("HTTP/1.1 2") : socket.write(ok)),
    reaches: [gotGet("/1") + gotGet("/2")],
    sees: okKeeping + badGateway,
  },
];

describe("a client's connection", () => {
  it.each(keepAlive)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("pipelined requests", () => {
  it.each(pipelined)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("HTTP/1.0", () => {
  it.each(http10)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("a backend's connection", () => {
  it.each(reuse)("$name ($rfc)", (wireCase) => reusing.run(wireCase));
});
