import type { RawScript } from "@posthouse/testkit/raw-backend";
import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import { badGateway, closing, forwarded, head, keeping } from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench({ forward: { timeouts: { first_byte: "5s" } } });
});
afterAll(() => bench[Symbol.asyncDispose]());

/** What is answered to a GET whose connection is closed afterwards. */
const closed = (
  name: string,
  rfc: string,
  answer: string | RawScript,
  sees: string,
  more: Partial<WireCase> = {},
): WireCase => ({
  name,
  rfc,
  send: head("GET / HTTP/1.1", "Host: a", "Connection: close"),
  answer,
  reaches: forwarded("GET / HTTP/1.1", "Host: a"),
  sees,
  ...more,
});
/** What is answered to a request whose connection goes on. */
const kept = (
  name: string,
  rfc: string,
  method: string,
  answer: string | RawScript,
  sees: string,
): WireCase => ({
  name,
  rfc,
  send: head(`${method} / HTTP/1.1`, "Host: a"),
  answer,
  reaches: forwarded(`${method} / HTTP/1.1`, "Host: a"),
  sees,
  open: true,
});
const garbage = (name: string, rfc: string, answer: string): WireCase =>
  closed(name, rfc, ({ socket }) => void socket.end(Buffer.from(answer, "latin1")), badGateway);
const ending =
  (bytes: string): RawScript =>
  ({ socket }) =>
    void socket.end(Buffer.from(bytes, "latin1"));
const resetting =
  (bytes: string): RawScript =>
  (connection) =>
    void connection.socket.write(Buffer.from(bytes, "latin1"), () =>
      setTimeout(() => connection.reset(), 50),
    );
/** An answer with a length, whose other lines are these. */
const withLines = (...lines: string[]): string =>
  `${head("HTTP/1.1 200 OK", ...lines, "Content-Length: 2")}ok`;
const passes = (name: string, rfc: string, sent: string[], seen: string[] = sent): WireCase =>
  closed(name, rfc, withLines(...sent), `${closing("HTTP/1.1 200 OK", ...seen, "Content-Length: 2")}ok`);
const chunkedHead = head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked");
const chunkedClosing = closing("HTTP/1.1 200 OK").replace(/\r\n$/, "Transfer-Encoding: chunked\r\n\r\n");
const chunkedKeeping = keeping("HTTP/1.1 200 OK").replace(/\r\n$/, "Transfer-Encoding: chunked\r\n\r\n");
const last = "0\r\n\r\n";

const statusLines: WireCase[] = [
  closed(
    "a reason of one's own stays",
    "RFC 9112, 4",
    `${head("HTTP/1.1 200 Fine, thanks", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 200 Fine, thanks", "Content-Length: 2")}ok`,
  ),
  closed(
    "an empty reason stays",
    "RFC 9112, 4",
    `${head("HTTP/1.1 200 ", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 200 ", "Content-Length: 2")}ok`,
  ),
  closed(
    "no reason and no space",
    "RFC 9112, 4",
    `${head("HTTP/1.1 200", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 200 ", "Content-Length: 2")}ok`,
  ),
  closed(
    "a reason with bytes above 0x7F stays",
    "RFC 9112, 4",
    `${head("HTTP/1.1 200 \xc3\xa9", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 200 \xc3\xa9", "Content-Length: 2")}ok`,
  ),
  closed(
    "a status nobody knows stays",
    "RFC 9110, 15",
    `${head("HTTP/1.1 299 X", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 299 X", "Content-Length: 2")}ok`,
  ),
  closed(
    "999 stays",
    "RFC 9110, 15",
    `${head("HTTP/1.1 999 X", "Content-Length: 2")}ok`,
    `${closing("HTTP/1.1 999 X", "Content-Length: 2")}ok`,
  ),
  closed(
    "a redirect is not followed",
    "RFC 9110, 15.4",
    head("HTTP/1.1 302 Found", "Location: http://b/", "Content-Length: 0"),
    closing("HTTP/1.1 302 Found", "Location: http://b/", "Content-Length: 0"),
  ),
  garbage("HTTP/2", "RFC 9112, 4", head("HTTP/2 200 OK")),
  garbage("HTTP/0.9", "RFC 9112, 4", "hello\r\n"),
  garbage("another protocol", "RFC 9112, 4", "SSH-2.0-OpenSSH_9\r\n\r\n"),
  garbage("a status of two digits", "RFC 9112, 4", head("HTTP/1.1 20 OK")),
  garbage("a status of four digits", "RFC 9112, 4", head("HTTP/1.1 2000 OK")),
  garbage("a status below 100", "RFC 9112, 4", head("HTTP/1.1 099 OK")),
  garbage("a status that is none", "RFC 9112, 4", head("HTTP/1.1 2x0 OK")),
  garbage("two spaces before the status", "RFC 9112, 4", head("HTTP/1.1  200 OK")),
  garbage("NUL in the reason", "RFC 9112, 4", head("HTTP/1.1 200 O\0K")),
  garbage("a bare CR in the reason", "RFC 9112, 2.2", head("HTTP/1.1 200 O\rK")),
  garbage("a bare LF behind the status line", "RFC 9112, 2.2", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"),
  garbage("bare LFs everywhere", "RFC 9112, 2.2", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
  garbage("a TLS alert", "RFC 9112, 4", "\x15\x03\x03\0\x02\x02\x28"),
  garbage("nothing", "RFC 9112, 8", ""),
  garbage("half a status line", "RFC 9112, 8", "HTTP/1.1 200"),
  garbage("half a head", "RFC 9112, 8", "HTTP/1.1 200 OK\r\nContent-Le"),
];

const fields: WireCase[] = [
  passes("order, case and repetition stay", "RFC 9110, 5.3", ["x-b: 1", "X-A: 2", "X-B: 3"]),
  passes("cookies stay apart", "RFC 9110, 5.3", [
    "Set-Cookie: a=1; Expires=Tue, 15 Nov 1994 08:12:31 GMT",
    "Set-Cookie: b=2",
    "set-cookie: a=3",
  ]),
  passes("challenges stay apart", "RFC 9110, 11.6.1", [
    'WWW-Authenticate: Basic realm="a"',
    "WWW-Authenticate: Negotiate",
  ]),
  passes("bytes above 0x7F stay", "RFC 9110, 5.5", ["X: caf\xc3\xa9 \xff"]),
  passes("space around a value goes", "RFC 9112, 5.1", ["X: \t a \t", "Y:b"], ["X: a", "Y: b"]),
  passes("an empty value stays", "RFC 9110, 5.5", ["X:"], ["X: "]),
  passes("a date of the backend stays", "RFC 9110, 6.6.1", ["Date: yesterday"]),
  passes("Server and Via stay", "RFC 9110, 7.6.3", ["Server: x/1", "Via: 1.1 b"]),
  passes("the encoding stays", "RFC 9110, 8.4", ["Content-Encoding: gzip", "Vary: Accept-Encoding"]),
  passes(
    "Keep-Alive and Proxy-Connection go",
    "RFC 9110, 7.6.1",
    ["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive"],
    [],
  ),
  passes("TE, Trailer and Upgrade go", "RFC 9110, 7.6.1", ["TE: trailers", "Trailer: X", "Upgrade: h2"], []),
  passes(
    "what Connection names goes",
    "RFC 9110, 7.6.1",
    ["X-A: 1", "Connection: x-a, X-B", "X-B: 2", "X-C: 3"],
    ["X-C: 3"],
  ),
  passes("Content-Length cannot be named", "RFC 9110, 7.6.1", ["Connection: content-length, keep-alive"], []),
  passes(
    "two hundred headers",
    "RFC 9110, 5.4",
    Array.from({ length: 200 }, (_, index) => `X-${index}: ${index}`),
  ),
  passes("a header of 60,000 bytes", "RFC 9110, 5.4", [`X: ${"x".repeat(60_000)}`]),
  garbage("a head of more than 64 KiB", "RFC 9110, 5.4", head("HTTP/1.1 200 OK", `X: ${"x".repeat(66_000)}`)),
  garbage("a folded line", "RFC 9112, 5.2", head("HTTP/1.1 200 OK", "X: 1", " 2")),
  garbage("a folded first line", "RFC 9112, 5.2", head("HTTP/1.1 200 OK", " X: 1")),
  garbage("a space before the colon", "RFC 9112, 5.1", head("HTTP/1.1 200 OK", "X : 1")),
  garbage("no colon", "RFC 9112, 5", head("HTTP/1.1 200 OK", "X")),
  garbage("no name", "RFC 9112, 5", head("HTTP/1.1 200 OK", ": 1")),
  garbage("a bare LF in a value", "RFC 9112, 2.2", head("HTTP/1.1 200 OK", "X: 1\nSet-Cookie: a=1")),
  garbage("a bare CR in a value", "RFC 9112, 2.2", head("HTTP/1.1 200 OK", "X: 1\rY: 2")),
  garbage("NUL in a value", "RFC 9110, 5.5", head("HTTP/1.1 200 OK", "X: \0")),
  garbage("DEL in a value", "RFC 9110, 5.5", head("HTTP/1.1 200 OK", "X: \x7f")),
  garbage("a name with a space", "RFC 9110, 5.1", head("HTTP/1.1 200 OK", "X Y: 1")),
];

const lengths: WireCase[] = [
  kept(
    "a length",
    "RFC 9112, 6.2",
    "GET",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2")}ok`,
    `${keeping("HTTP/1.1 200 OK", "Content-Length: 2")}ok`,
  ),
  kept(
    "a length of 0",
    "RFC 9112, 6.2",
    "GET",
    head("HTTP/1.1 200 OK", "Content-Length: 0"),
    keeping("HTTP/1.1 200 OK", "Content-Length: 0"),
  ),
  kept(
    "twice the same is once",
    "RFC 9112, 6.3",
    "GET",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 2")}ok`,
    `${keeping("HTTP/1.1 200 OK", "Content-Length: 2")}ok`,
  ),
  kept(
    "HEAD with a length",
    "RFC 9110, 9.3.2",
    "HEAD",
    head("HTTP/1.1 200 OK", "Content-Length: 5"),
    keeping("HTTP/1.1 200 OK", "Content-Length: 5"),
  ),
  kept(
    "HEAD without a length",
    "RFC 9110, 9.3.2",
    "HEAD",
    head("HTTP/1.1 200 OK", "X: 1"),
    keeping("HTTP/1.1 200 OK", "X: 1"),
  ),
  kept("HEAD with Transfer-Encoding", "RFC 9112, 6.1", "HEAD", chunkedHead, keeping("HTTP/1.1 200 OK")),
  kept(
    "HEAD that brings a body",
    "RFC 9110, 9.3.2",
    "HEAD",
    `${head("HTTP/1.1 200 OK", "Content-Length: 5")}hello`,
    keeping("HTTP/1.1 200 OK", "Content-Length: 5"),
  ),
  kept(
    "204",
    "RFC 9110, 15.3.5",
    "GET",
    head("HTTP/1.1 204 No Content", "X: 1"),
    keeping("HTTP/1.1 204 No Content", "X: 1"),
  ),
  kept(
    "204 with a length of 0",
    "RFC 9110, 8.6",
    "GET",
    head("HTTP/1.1 204 No Content", "Content-Length: 0"),
    keeping("HTTP/1.1 204 No Content"),
  ),
  kept(
    "204 with a length and a body",
    "RFC 9112, 6.3",
    "GET",
    `${head("HTTP/1.1 204 No Content", "Content-Length: 5")}hello`,
    keeping("HTTP/1.1 204 No Content"),
  ),
  kept(
    "204 with chunks",
    "RFC 9112, 6.3",
    "GET",
    `${head("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked")}${last}`,
    keeping("HTTP/1.1 204 No Content"),
  ),
  kept(
    "304 without a length",
    "RFC 9110, 15.4.5",
    "GET",
    head("HTTP/1.1 304 Not Modified", 'ETag: "a"'),
    keeping("HTTP/1.1 304 Not Modified", 'ETag: "a"'),
  ),
  kept(
    "304 with the length it would have",
    "RFC 9110, 8.6",
    "GET",
    head("HTTP/1.1 304 Not Modified", "Content-Length: 1234"),
    keeping("HTTP/1.1 304 Not Modified", "Content-Length: 1234"),
  ),
  kept(
    "304 that brings a body",
    "RFC 9112, 6.3",
    "GET",
    `${head("HTTP/1.1 304 Not Modified", "Content-Length: 5")}hello`,
    keeping("HTTP/1.1 304 Not Modified", "Content-Length: 5"),
  ),
  kept(
    "205 with a body",
    "RFC 9110, 15.3.6",
    "GET",
    `${head("HTTP/1.1 205 Reset Content", "Content-Length: 2")}ok`,
    `${keeping("HTTP/1.1 205 Reset Content", "Content-Length: 2")}ok`,
  ),
  kept(
    "206",
    "RFC 9110, 15.3.7",
    "GET",
    `${head("HTTP/1.1 206 Partial Content", "Content-Range: bytes 0-1/5", "Content-Length: 2")}ok`,
    `${keeping("HTTP/1.1 206 Partial Content", "Content-Range: bytes 0-1/5", "Content-Length: 2")}ok`,
  ),
  kept(
    "more than the length",
    "RFC 9112, 6.3",
    "GET",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2")}ok and more`,
    `${keeping("HTTP/1.1 200 OK", "Content-Length: 2")}ok`,
  ),
  kept(
    "a second answer that nobody asked for",
    "RFC 9112, 9.2",
    "GET",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2")}ok${head("HTTP/1.1 200 OK", "Content-Length: 0")}`,
    `${keeping("HTTP/1.1 200 OK", "Content-Length: 2")}ok`,
  ),
  closed(
    "less than the length",
    "RFC 9112, 8",
    ending(`${head("HTTP/1.1 200 OK", "Content-Length: 5")}ok`),
    `${closing("HTTP/1.1 200 OK", "Content-Length: 5")}ok`,
  ),
  closed(
    "a reset within the length",
    "RFC 9112, 8",
    resetting(`${head("HTTP/1.1 200 OK", "Content-Length: 5")}ok`),
    `${closing("HTTP/1.1 200 OK", "Content-Length: 5")}ok`,
  ),
  garbage(
    "lengths that differ",
    "RFC 9112, 6.3",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2", "Content-Length: 3")}ok`,
  ),
  garbage("2, 2", "RFC 9112, 6.3", `${head("HTTP/1.1 200 OK", "Content-Length: 2, 2")}ok`),
  garbage("+2", "RFC 9112, 6.3", `${head("HTTP/1.1 200 OK", "Content-Length: +2")}ok`),
  garbage("-2", "RFC 9112, 6.3", `${head("HTTP/1.1 200 OK", "Content-Length: -2")}ok`),
  garbage("0x2", "RFC 9112, 6.3", `${head("HTTP/1.1 200 OK", "Content-Length: 0x2")}ok`),
  garbage("an empty length", "RFC 9112, 6.3", `${head("HTTP/1.1 200 OK", "Content-Length: ")}ok`),
  garbage(
    "more digits than any length",
    "RFC 9110, 8.6",
    `${head("HTTP/1.1 200 OK", "Content-Length: 99999999999999999999")}ok`,
  ),
  garbage(
    "a length and chunks",
    "RFC 9112, 6.1",
    `${head("HTTP/1.1 200 OK", "Content-Length: 2", "Transfer-Encoding: chunked")}${last}`,
  ),
  closed(
    "no length: until the end",
    "RFC 9112, 6.3",
    ending(`${head("HTTP/1.1 200 OK", "X: 1")}hello`),
    `${chunkedClosing.replace("OK\r\n", "OK\r\nX: 1\r\n")}5\r\nhello\r\n${last}`,
  ),
  closed(
    "no length and nothing",
    "RFC 9112, 6.3",
    ending(head("HTTP/1.1 200 OK")),
    `${chunkedClosing}${last}`,
  ),
  closed(
    "no length, and a reset",
    "RFC 9112, 8",
    resetting(`${head("HTTP/1.1 200 OK")}hello`),
    `${chunkedClosing}5\r\nhello\r\n`,
  ),
];

// What is broken within one packet is noticed before anything was sent to the client.
const chunks: WireCase[] = [
  kept(
    "chunks",
    "RFC 9112, 7.1",
    "GET",
    `${chunkedHead}2\r\nab\r\nA\r\n0123456789\r\n${last}`,
    `${chunkedKeeping}c\r\nab0123456789\r\n${last}`,
  ),
  kept("no chunk", "RFC 9112, 7.1", "GET", `${chunkedHead}${last}`, `${chunkedKeeping}${last}`),
  kept(
    "extensions go",
    "RFC 9112, 7.1.1",
    "GET",
    `${chunkedHead}2;a="b"\r\nab\r\n0;c\r\n\r\n`,
    `${chunkedKeeping}2\r\nab\r\n${last}`,
  ),
  kept(
    "leading zeros go",
    "RFC 9112, 7.1",
    "GET",
    `${chunkedHead}002\r\nab\r\n00\r\n\r\n`,
    `${chunkedKeeping}2\r\nab\r\n${last}`,
  ),
  kept(
    "trailers stay",
    "RFC 9110, 6.5",
    "GET",
    `${chunkedHead}2\r\nab\r\n0\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n`,
    `${chunkedKeeping}2\r\nab\r\n0\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n`,
  ),
  kept(
    "trailers that frame go",
    "RFC 9110, 6.5.1",
    "GET",
    `${chunkedHead}0\r\nContent-Length: 5\r\nX: 1\r\nSet-Cookie: a=1\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${chunkedKeeping}0\r\nX: 1\r\n\r\n`,
  ),
  kept(
    "CHUNKED",
    "RFC 9112, 7",
    "GET",
    `${head("HTTP/1.1 200 OK", "transfer-encoding: CHUNKED")}${last}`,
    `${chunkedKeeping}${last}`,
  ),
  kept(
    "bytes behind the end",
    "RFC 9112, 7.1",
    "GET",
    `${chunkedHead}${last}more`,
    `${chunkedKeeping}${last}`,
  ),
  closed("no last chunk", "RFC 9112, 8", ending(`${chunkedHead}2\r\nab\r\n`), `${chunkedClosing}2\r\nab\r\n`),
  closed(
    "the end within a chunk",
    "RFC 9112, 8",
    ending(`${chunkedHead}5\r\nab`),
    `${chunkedClosing}2\r\nab\r\n`,
  ),
  closed(
    "the end within the trailers",
    "RFC 9112, 8",
    ending(`${chunkedHead}2\r\nab\r\n0\r\nX: 1\r\n`),
    `${chunkedClosing}2\r\nab\r\n`,
  ),
  closed("a bad size behind a good chunk", "RFC 9112, 7.1", ending(`${chunkedHead}2\r\nab\r\nx\r\n`), ""),
  closed("more data than the size", "RFC 9112, 7.1", ending(`${chunkedHead}2\r\nabc\r\n${last}`), ""),
  closed("a size that is none", "RFC 9112, 7.1", ending(`${chunkedHead}0x2\r\nab\r\n${last}`), ""),
  closed("a bare LF behind the size", "RFC 9112, 7.1", ending(`${chunkedHead}2\nab\r\n${last}`), ""),
  closed(
    "a size of 17 digits",
    "RFC 9112, 7.1",
    ending(`${chunkedHead}10000000000000002\r\nab\r\n${last}`),
    "",
  ),
  closed("a folded trailer", "RFC 9112, 5.2", ending(`${chunkedHead}0\r\nX: 1\r\n 2\r\n\r\n`), ""),
  garbage(
    "gzip, chunked",
    "RFC 9112, 6.1",
    `${head("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked")}${last}`,
  ),
  garbage(
    "chunked twice",
    "RFC 9112, 6.1",
    `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}${last}`,
  ),
  garbage("identity", "RFC 9112, 6.1", `${head("HTTP/1.1 200 OK", "Transfer-Encoding: identity")}${last}`),
  garbage(
    "a tab behind chunked",
    "RFC 9112, 6.1",
    `${head("HTTP/1.1 200 OK", "Transfer-Encoding: chunked\t")}${last}`,
  ),
  garbage(
    "a vertical tab before chunked",
    "RFC 9112, 6.1",
    `${head("HTTP/1.1 200 OK", "Transfer-Encoding: \x0bchunked")}${last}`,
  ),
  closed(
    "chunked in HTTP/1.0",
    "RFC 9112, 6.1",
    `${head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked")}${last}`,
    `${chunkedClosing}${last}`,
  ),
  {
    name: "a bad size after something was sent",
    rfc: "RFC 9112, 7.1",
    send: [
      head("GET / HTTP/1.1", "Host: a"),
      { reached: "posthouse" },
      { answered: `${chunkedHead}2\r\nab\r\n` },
      { seen: "ab" },
      { answered: "x\r\n" },
    ],
    answer: () => {},
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
    sees: `${chunkedKeeping}2\r\nab\r\n`,
  },
];

describe("status lines", () => {
  it.each(statusLines)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("header fields of an answer", () => {
  it.each(fields)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("length of an answer", () => {
  it.each(lengths)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("chunks of an answer", () => {
  it.each(chunks)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
