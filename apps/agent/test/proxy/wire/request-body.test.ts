import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import {
  badRequest,
  badTransferEncoding,
  closing,
  forwarded,
  head,
  keeping,
  ok,
  okClosing,
  okKeeping,
  refusal,
  refusedBytes,
  via,
} from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench({ forward: { max_body: "1KiB" } });
});
afterAll(() => bench[Symbol.asyncDispose]());

const line = "POST / HTTP/1.1";
const sized = (
  name: string,
  rfc: string,
  lines: string[],
  body: string,
  reached: string[] = lines,
): WireCase => ({
  name,
  rfc,
  send: head(line, "Host: a", ...lines, "Connection: close") + body,
  reaches: forwarded(line, "Host: a", ...reached) + body,
  sees: okClosing,
});
const chunked = (
  name: string,
  rfc: string,
  body: string,
  reached: string = body,
  encoding = "chunked",
): WireCase => ({
  name,
  rfc,
  send: head(line, "Host: a", `Transfer-Encoding: ${encoding}`, "Connection: close") + body,
  reaches: head(line, "Host: a", "Transfer-Encoding: chunked", via) + reached,
  sees: okClosing,
});
/** Refused when the head has been read: nothing reaches the backend. */
const refuses = (
  name: string,
  rfc: string,
  lines: string[],
  sees: string = badRequest,
  body = "",
): WireCase => ({
  name,
  rfc,
  send: head(line, "Host: a", ...lines) + body,
  reaches: "",
  sees,
});
/** Refused in the middle of the body: the backend gets no end of it, and sees its connection closed. */
const breaks = (
  name: string,
  rfc: string,
  body: string,
  reached = "",
  sees: string = badRequest,
): WireCase => ({
  name,
  rfc,
  send: [
    head(line, "Host: a", "Transfer-Encoding: chunked"),
    { reached: "chunked\r\nVia: 1.1 posthouse\r\n\r\n" },
    body,
  ],
  reaches: head(line, "Host: a", "Transfer-Encoding: chunked", via) + reached,
  sees,
});
const last = "0\r\n\r\n";

const lengths: WireCase[] = [
  sized("a length", "RFC 9112, 6.2", ["Content-Length: 5"], "hello"),
  sized("a length of 0", "RFC 9112, 6.2", ["Content-Length: 0"], ""),
  sized("no length is no body", "RFC 9112, 6.3", [], ""),
  sized("a body of any bytes", "RFC 9112, 6", ["Content-Length: 6"], "\0\r\n\xff\n\n"),
  sized("leading zeros go", "RFC 9110, 8.6", ["Content-Length: 0005"], "hello", ["Content-Length: 5"]),
  sized("the name keeps its case", "RFC 9110, 5.1", ["content-LENGTH: 5"], "hello"),
  refuses("+5", "RFC 9110, 8.6", ["Content-Length: +5"], badRequest, "hello"),
  refuses("-5", "RFC 9110, 8.6", ["Content-Length: -5"], badRequest, "hello"),
  refuses("5, 5", "RFC 9110, 8.6", ["Content-Length: 5, 5"], badRequest, "hello"),
  refuses("5,5", "RFC 9110, 8.6", ["Content-Length: 5,5"], badRequest, "hello"),
  refuses("0x5", "RFC 9110, 8.6", ["Content-Length: 0x5"], badRequest, "hello"),
  refuses("5.0", "RFC 9110, 8.6", ["Content-Length: 5.0"], badRequest, "hello"),
  refuses("5e0", "RFC 9110, 8.6", ["Content-Length: 5e0"], badRequest, "hello"),
  refuses("1 0", "RFC 9110, 8.6", ["Content-Length: 1 0"], badRequest, "hello"),
  refuses("nothing", "RFC 9110, 8.6", ["Content-Length: "], badRequest, "hello"),
  refuses("a word", "RFC 9110, 8.6", ["Content-Length: five"], badRequest, "hello"),
  refuses("digits of another script", "RFC 9110, 8.6", ["Content-Length: \xd9\xa5"], badRequest, "hello"),
  refuses("twice the same", "RFC 9110, 8.6", ["Content-Length: 5", "Content-Length: 5"], badRequest, "hello"),
  refuses(
    "twice, different",
    "RFC 9110, 8.6",
    ["Content-Length: 5", "Content-Length: 0"],
    badRequest,
    "hello",
  ),
  refuses(
    "twice, far apart, in other case",
    "RFC 9110, 8.6",
    ["Content-Length: 5", "X: 1", "content-length: 6"],
    badRequest,
    "hello",
  ),
  refuses(
    "more than 64 bits",
    "RFC 9110, 8.6",
    ["Content-Length: 18446744073709551621"],
    badRequest,
    "hello",
  ),
  {
    name: "more than is allowed, little enough to be read",
    rfc: "RFC 9110, 15.5.14",
    send:
      head(line, "Host: a", "Content-Length: 1025") +
      "x".repeat(1025) +
      head("GET /2 HTTP/1.1", "Host: a", "Connection: close"),
    reaches: forwarded("GET /2 HTTP/1.1", "Host: a"),
    sees: `${keeping("HTTP/1.1 413 Payload Too Large", "Content-Type: text/plain; charset=utf-8", "Content-Length: 26")}413 the body is too large\n${okClosing}`,
  },
  refuses(
    "more than a number can hold exactly",
    "RFC 9110, 15.5.14",
    ["Content-Length: 9007199254740993"],
    refusal("413 Payload Too Large", "413 the body is too large\n"),
  ),
  sized("a GET with a body", "RFC 9110, 9.3.1", ["Content-Length: 2"], "ab"),
];

const encodings: WireCase[] = [
  chunked("chunked", "RFC 9112, 7.1", `3\r\nabc\r\n2\r\nde\r\n${last}`),
  chunked("capitals", "RFC 9112, 7", `1\r\na\r\n${last}`, `1\r\na\r\n${last}`, "CHUNKED"),
  chunked("space around", "RFC 9112, 5.1", `1\r\na\r\n${last}`, `1\r\na\r\n${last}`, " \tchunked "),
  refuses("a tab behind it", "RFC 9112, 6.1", ["Transfer-Encoding: chunked\t"], badRequest, last),
  refuses("gzip, chunked", "RFC 9112, 6.1", ["Transfer-Encoding: gzip, chunked"], badTransferEncoding, last),
  refuses(
    "gzip and chunked in two lines",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: gzip", "Transfer-Encoding: chunked"],
    badTransferEncoding,
    last,
  ),
  refuses("chunked, chunked", "RFC 9112, 6.1", ["Transfer-Encoding: chunked, chunked"], badRequest, last),
  refuses(
    "chunked twice",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"],
    badRequest,
    last,
  ),
  refuses("chunked not last", "RFC 9112, 6.1", ["Transfer-Encoding: chunked, gzip"], badRequest, last),
  refuses("identity", "RFC 9112, 6.1", ["Transfer-Encoding: identity"], badRequest, last),
  refuses(
    "chunked and identity",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: chunked, identity"],
    badRequest,
    last,
  ),
  refuses(
    "identity and chunked in two lines",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: identity", "Transfer-Encoding: chunked"],
    badTransferEncoding,
    last,
  ),
  refuses("xchunked", "RFC 9112, 6.1", ["Transfer-Encoding: xchunked"], badRequest, last),
  refuses("chunkedx", "RFC 9112, 6.1", ["Transfer-Encoding: chunkedx"], badRequest, last),
  refuses("quoted", "RFC 9112, 6.1", ['Transfer-Encoding: "chunked"'], badRequest, last),
  refuses("with a parameter", "RFC 9112, 7", ["Transfer-Encoding: chunked;a=b"], badRequest, last),
  refuses("nothing", "RFC 9112, 6.1", ["Transfer-Encoding: "], badRequest, last),
  refuses("a comma before it", "RFC 9112, 6.1", ["Transfer-Encoding: ,chunked"], badTransferEncoding, last),
  refuses("a comma behind it", "RFC 9112, 6.1", ["Transfer-Encoding: chunked,"], badRequest, last),
  refuses("a vertical tab before it", "RFC 9112, 6.1", ["Transfer-Encoding: \x0bchunked"], badRequest, last),
  refuses("a NUL behind it", "RFC 9112, 6.1", ["Transfer-Encoding: chunked\0"], badRequest, last),
  refuses("a space before the colon", "RFC 9112, 5.1", ["Transfer-Encoding : chunked"], badRequest, last),
  refuses("folded", "RFC 9112, 5.2", ["Transfer-Encoding:", " chunked"], badRequest, last),
  refuses(
    "beside a length",
    "RFC 9112, 6.1",
    ["Content-Length: 5", "Transfer-Encoding: chunked"],
    badRequest,
    last,
  ),
  refuses(
    "before a length",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: chunked", "Content-Length: 5"],
    badRequest,
    last,
  ),
  refuses(
    "before a length of 0",
    "RFC 9112, 6.1",
    ["Transfer-Encoding: chunked", "Content-Length: 0"],
    badRequest,
    last,
  ),
  {
    name: "in HTTP/1.0",
    rfc: "RFC 9112, 6.1",
    send: head("POST / HTTP/1.0", "Host: a", "Transfer-Encoding: chunked") + last,
    reaches: "",
    sees: badTransferEncoding,
  },
];

const chunks: WireCase[] = [
  chunked("no chunk", "RFC 9112, 7.1", last),
  chunked(
    "sizes in hexadecimal of either case",
    "RFC 9112, 7.1",
    `a\r\n0123456789\r\nB\r\n0123456789a\r\n${last}`,
    `a\r\n0123456789\r\nb\r\n0123456789a\r\n${last}`,
  ),
  chunked("sizes with leading zeros", "RFC 9112, 7.1", `0002\r\nab\r\n000\r\n\r\n`, `2\r\nab\r\n${last}`),
  chunked("an extension goes", "RFC 9112, 7.1.1", `2;a=b\r\nab\r\n0;c\r\n\r\n`, `2\r\nab\r\n${last}`),
  chunked(
    "an extension with a quoted value goes",
    "RFC 9112, 7.1.1",
    `2;a="b;c"\r\nab\r\n${last}`,
    `2\r\nab\r\n${last}`,
  ),
  chunked("data that look like a chunk", "RFC 9112, 7.1", `5\r\n0\r\n\r\n\r\n${last}`),
  breaks("a size that is none", "RFC 9112, 7.1", `g\r\nab\r\n${last}`),
  breaks("a size of 0x2", "RFC 9112, 7.1", `0x2\r\nab\r\n${last}`),
  breaks("a size of +2", "RFC 9112, 7.1", `+2\r\nab\r\n${last}`),
  breaks("a size of -2", "RFC 9112, 7.1", `-2\r\nab\r\n${last}`),
  breaks("no size", "RFC 9112, 7.1", `\r\nab\r\n${last}`),
  breaks("a space before the size", "RFC 9112, 7.1", ` 2\r\nab\r\n${last}`),
  breaks("a space behind the size", "RFC 9112, 7.1", `2 \r\nab\r\n${last}`),
  breaks("a size of more than 64 bits", "RFC 9112, 7.1", `10000000000000002\r\nab\r\n${last}`),
  breaks("a bare LF behind the size", "RFC 9112, 7.1", `2\nab\r\n${last}`),
  breaks("a bare CR behind the size", "RFC 9112, 7.1", `2\rab\r\n${last}`),
  breaks("a bare LF in an extension", "RFC 9112, 7.1.1", `2;a\nb\r\nab\r\n${last}`),
  breaks("a bare CR in an extension", "RFC 9112, 7.1.1", `2;a\rb\r\nab\r\n${last}`),
  breaks("NUL in an extension", "RFC 9112, 7.1.1", `2;a\0\r\nab\r\n${last}`),
  breaks(
    "an extension of 20,000 bytes",
    "RFC 9112, 7.1.1",
    `2;${"a".repeat(20_000)}\r\nab\r\n${last}`,
    "",
    refusedBytes("413 Payload Too Large"),
  ),
  breaks("more data than the size", "RFC 9112, 7.1", `2\r\nabc\r\n${last}`, "2\r\nab\r\n"),
  breaks("less data than the size", "RFC 9112, 7.1", `3\r\nab\r\n${last}`, "3\r\nab\r\r\n"),
  breaks("a bare LF behind the data", "RFC 9112, 7.1", `2\r\nab\n${last}`, "2\r\nab\r\n"),
  breaks("no line end behind the data", "RFC 9112, 7.1", `2\r\nab${last}`, "2\r\nab\r\n"),
  breaks("a bare LF behind the last chunk", "RFC 9112, 7.1", "2\r\nab\r\n0\n\r\n", "2\r\nab\r\n"),
  breaks("a bare LF as the end", "RFC 9112, 7.1.2", "2\r\nab\r\n0\r\n\n", "2\r\nab\r\n"),
  breaks("a folded trailer", "RFC 9112, 5.2", "0\r\nX: 1\r\n 2\r\n\r\n"),
  breaks("a trailer with a space before the colon", "RFC 9112, 5.1", "0\r\nX : 1\r\n\r\n"),
  breaks(
    "a body beyond the limit",
    "RFC 9110, 15.5.14",
    `401\r\n${"x".repeat(0x401)}\r\n${last}`,
    "",
    refusal("413 Payload Too Large", "413 the body is too large\n"),
  ),
];

const trailers: WireCase[] = [
  breaks(
    "a length in the trailers",
    "RFC 9110, 6.5.1",
    "1\r\na\r\n0\r\nContent-Length: 7\r\n\r\n",
    "1\r\na\r\n",
  ),
  breaks(
    "a Transfer-Encoding in the trailers",
    "RFC 9110, 6.5.1",
    "1\r\na\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "1\r\na\r\n",
  ),
  chunked(
    "trailers stay, in order, case and repetition",
    "RFC 9110, 6.5",
    "1\r\na\r\n0\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n",
  ),
  chunked("trailers without a body", "RFC 9110, 6.5", "0\r\nX-A: 1\r\n\r\n"),
  chunked(
    "trailers that frame or route go",
    "RFC 9110, 6.5.1",
    "1\r\na\r\n0\r\nX-A: 1\r\nHost: b\r\nConnection: close\r\nUpgrade: x\r\nTE: gzip\r\nTrailer: x\r\nContent-Type: x\r\n\r\n",
    "1\r\na\r\n0\r\nX-A: 1\r\n\r\n",
  ),
  chunked(
    "trailers that say who asks go",
    "RFC 9110, 6.5.1",
    "0\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX_Forwarded_For: 1.2.3.4\r\nAuthorization: x\r\nCookie: a=1\r\nX-A: 1\r\n\r\n",
    "0\r\nX-A: 1\r\n\r\n",
  ),
  {
    name: "TE and Trailer",
    rfc: "RFC 9110, 6.6.2",
    send: `${head(line, "Host: a", "TE: trailers", "Trailer: X-A", "Transfer-Encoding: chunked", "Connection: close, TE")}0\r\nX-A: 1\r\n\r\n`,
    reaches: `${head(line, "Host: a", "Transfer-Encoding: chunked", "TE: trailers", "Connection: TE", via)}0\r\nX-A: 1\r\n\r\n`,
    sees: okClosing,
  },
];

const early: WireCase[] = [
  {
    name: "an answer in the middle of a body that goes on",
    rfc: "RFC 9112, 9.3",
    send: [
      `${head(line, "Host: a", "Content-Length: 10")}hello`,
      { seen: "ok" },
      `world${head("GET /2 HTTP/1.1", "Host: a", "Connection: close")}`,
    ],
    answer: ({ socket, received }) => void (/hello$|\r\n\r\n$/.test(received) && socket.write(ok)),
    reaches: [
      `${forwarded(line, "Host: a", "Content-Length: 10")}hello`,
      forwarded("GET /2 HTTP/1.1", "Host: a"),
    ],
    sees: okKeeping + okClosing,
  },
  {
    name: "an answer in the middle of chunks: the connection is closed",
    rfc: "RFC 9112, 9.6",
    send: [`${head(line, "Host: a", "Transfer-Encoding: chunked")}5\r\nhello\r\n`, { seen: "ok" }, last],
    answer: ({ socket, received }) => void (received.endsWith("hello\r\n") && socket.write(ok)),
    reaches: `${head(line, "Host: a", "Transfer-Encoding: chunked", via)}5\r\nhello\r\n`,
    sees: okClosing,
  },
  {
    name: "an answer before any of the body, and the backend closes",
    rfc: "RFC 9112, 9.6",
    send: [head(line, "Host: a", "Content-Length: 10", "Connection: close"), { seen: "no" }, "helloworld"],
    answer: ({ socket }) =>
      void socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"),
    reaches: forwarded(line, "Host: a", "Content-Length: 10"),
    sees: `${closing("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no`,
  },
];

describe("Content-Length of a request", () => {
  it.each(lengths)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("Transfer-Encoding of a request", () => {
  it.each(encodings)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("chunks of a request", () => {
  it.each(chunks)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("trailers of a request", () => {
  it.each(trailers)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("answers before the request's end", () => {
  it.each(early)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
