import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import { badHost, badRequest, forwarded, head, okClosing, refusedBytes } from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const line = "GET / HTTP/1.1";
/** A request with these lines between Host and Connection, and those of them that reach the backend. */
const passes = (name: string, rfc: string, sent: string[], reached: string[] = sent): WireCase => ({
  name,
  rfc,
  send: head(line, "Host: a", ...sent, "Connection: close"),
  reaches: forwarded(line, "Host: a", ...reached),
  sees: okClosing,
});
const refuses = (name: string, rfc: string, lines: string[], sees: string = badRequest): WireCase => ({
  name,
  rfc,
  send: head(line, ...lines),
  reaches: "",
  sees,
});
const host = (name: string, value: string): WireCase => ({
  name,
  rfc: "RFC 9110, 7.2",
  send: head(line, `Host: ${value}`, "Connection: close"),
  reaches: forwarded(line, `Host: ${value.trim()}`),
  sees: okClosing,
});

const fields: WireCase[] = [
  passes("order, case and repetition stay", "RFC 9110, 5.3", ["x-b: 1", "X-A: 2", "X-B: 3", "X-a: 4"]),
  passes("lists are not joined", "RFC 9110, 5.3", ["Accept: a", "Accept: b, c", "Accept: d"]),
  passes("cookies stay apart", "RFC 6265, 5.4", ["Cookie: a=1", "Cookie: b=2"]),
  passes("space around a value goes", "RFC 9112, 5.1", ["X:  \ta \t", "Y:b"], ["X: a", "Y: b"]),
  passes("space within a value stays", "RFC 9110, 5.5", ["X: a  b\tc"]),
  passes("an empty value stays", "RFC 9110, 5.5", ["X: ", "Y:"], ["X: ", "Y: "]),
  passes("bytes above 0x7F stay", "RFC 9110, 5.5", ["X: caf\xc3\xa9 \xff\x80"]),
  passes("a quoted string stays", "RFC 9110, 5.6.4", ['X: "a\\"b", c;d="e,f"']),
  passes("every character of a name stays", "RFC 9110, 5.6.2", ["!#$%&'*+-.^_`|~09azAZ: 1"]),
  passes("underscores stay", "RFC 9110, 5.6.2", ["X_Under_Score: 1"]),
  passes("a name alone with a colon in its value", "RFC 9112, 5", ["X: a:b:c"]),
  passes("credentials stay", "RFC 9110, 11.6.2", ["Authorization: Basic YTpi"]),
  passes("Via is added to", "RFC 9110, 7.6.3", ["Via: 1.0 other, 1.1 third"]),
  passes("Max-Forwards stays", "RFC 9110, 7.6.2", ["Max-Forwards: 5"]),
  passes("Range stays", "RFC 9110, 14.2", ["Range: bytes=0-1", 'If-Range: "x"']),
  passes("Date stays", "RFC 9110, 6.6.1", ["Date: Tue, 15 Nov 1994 08:12:31 GMT"]),
  passes(
    "a hundred headers",
    "RFC 9110, 5.4",
    Array.from({ length: 100 }, (_, index) => `X-${index}: ${index}`),
  ),
  passes("a header of 8,000 bytes", "RFC 9110, 5.4", [`X: ${"x".repeat(8000)}`]),
  refuses("a space before the colon", "RFC 9112, 5.1", ["Host: a", "X : 1"]),
  refuses("a tab before the colon", "RFC 9112, 5.1", ["Host: a", "X\t: 1"]),
  refuses("a folded line", "RFC 9112, 5.2", ["Host: a", "X: 1", " 2"]),
  refuses("a line folded with a tab", "RFC 9112, 5.2", ["Host: a", "X: 1", "\t2"]),
  refuses("a space before the first header", "RFC 9112, 2.2", [" X: 1", "Host: a"]),
  refuses("a bare LF behind a header", "RFC 9112, 2.2", ["Host: a", "X: 1\nY: 2"]),
  refuses("a bare CR in a value", "RFC 9112, 2.2", ["Host: a", "X: 1\rY: 2"]),
  refuses("CR CR LF", "RFC 9112, 2.2", ["Host: a", "X: 1\r"]),
  refuses("NUL in a value", "RFC 9110, 5.5", ["Host: a", "X: 1\0"]),
  refuses("NUL in a name", "RFC 9110, 5.1", ["Host: a", "X\0: 1"]),
  refuses("a control character in a value", "RFC 9110, 5.5", ["Host: a", "X: 1\x01"]),
  refuses("DEL in a value", "RFC 9110, 5.5", ["Host: a", "X: 1\x7f"]),
  refuses("no name", "RFC 9110, 5.1", ["Host: a", ": 1"]),
  refuses("no colon", "RFC 9112, 5", ["Host: a", "X"]),
  refuses("a byte above 0x7F in a name", "RFC 9110, 5.1", ["Host: a", "X\xe9: 1"]),
  refuses("a name with a parenthesis", "RFC 9110, 5.6.2", ["Host: a", "X(1): 1"]),
  refuses(
    "headers of more than 16 KiB",
    "RFC 6585, 5",
    ["Host: a", `X: ${"x".repeat(17_000)}`],
    refusedBytes("431 Request Header Fields Too Large"),
  ),
  refuses(
    "a thousand headers",
    "RFC 6585, 5",
    ["Host: a", ...Array.from({ length: 1000 }, () => "X: 1")],
    refusedBytes("431 Request Header Fields Too Large"),
  ),
  {
    name: "a header hidden behind two thousand others",
    rfc: "RFC 6585, 5",
    send: `${head("POST / HTTP/1.1", "Host: a", ...Array.from({ length: 2100 }, () => "a:"), "Content-Length: 5")}hello`,
    reaches: "",
    sees: refusedBytes("431 Request Header Fields Too Large"),
  },
  {
    name: "a bare LF instead of the empty line",
    rfc: "RFC 9112, 2.2",
    send: "GET / HTTP/1.1\r\nHost: a\r\n\n",
    reaches: "",
    sees: badRequest,
  },
];

const hosts: WireCase[] = [
  host("a name", "shop.example"),
  host("a name and a port", "shop.example:8080"),
  host("capitals stay", "Shop.EXAMPLE"),
  host("an IPv4 address", "192.0.2.1"),
  host("an IPv6 address", "[2001:db8::1]:80"),
  host("a final dot stays", "shop.example."),
  host("an empty port stays", "a:"),
  host("space around goes", "  a  "),
  refuses("no Host", "RFC 9112, 3.2", ["X: 1"], badHost),
  refuses("two Hosts", "RFC 9112, 3.2", ["Host: a", "Host: b"], badHost),
  refuses("two equal Hosts", "RFC 9112, 3.2", ["Host: a", "Host: a"], badHost),
  refuses("two Hosts in other case", "RFC 9112, 3.2", ["Host: a", "X: 1", "hOsT: a"], badHost),
  refuses("an empty Host", "RFC 9112, 3.2", ["Host: "], badHost),
  refuses("a Host with a space", "RFC 9112, 3.2", ["Host: a b"], badHost),
  refuses("a Host with a tab", "RFC 9112, 3.2", ["Host: a\tb"], badHost),
  refuses("a Host that is a list", "RFC 9112, 3.2", ["Host: a, b"], badHost),
  refuses("a Host with a user", "RFC 9112, 3.2", ["Host: u@a"], badHost),
  refuses("a Host with a path", "RFC 9112, 3.2", ["Host: a/b"], badHost),
  refuses("a Host with a query", "RFC 9112, 3.2", ["Host: a?b"], badHost),
  refuses("a Host with a fragment", "RFC 9112, 3.2", ["Host: a#b"], badHost),
  refuses("a Host with a backslash", "RFC 9112, 3.2", ["Host: a\\b"], badHost),
  refuses("a Host with a bad port", "RFC 9112, 3.2", ["Host: a:b"], badHost),
  refuses("a Host with two ports", "RFC 9112, 3.2", ["Host: a:1:2"], badHost),
  refuses("a Host with an open bracket", "RFC 9112, 3.2", ["Host: [::1"], badHost),
  refuses("a Host with raw UTF-8", "RFC 9112, 3.2", ["Host: caf\xc3\xa9"], badHost),
  refuses("a port alone", "RFC 9112, 3.2", ["Host: :80"], badHost),
];

const hopByHop: WireCase[] = [
  passes("Keep-Alive goes", "RFC 9110, 7.6.1", ["Keep-Alive: timeout=5"], []),
  passes("Proxy-Connection goes", "RFC 9110, 7.6.1", ["Proxy-Connection: keep-alive"], []),
  passes("Proxy-Authorization goes", "RFC 9110, 11.7.2", ["Proxy-Authorization: Basic YTpi"], []),
  passes("TE without trailers goes", "RFC 9110, 10.1.4", ["TE: gzip"], []),
  passes("Upgrade without Connection goes", "RFC 9110, 7.8", ["Upgrade: websocket"], []),
  passes(
    "what Connection names goes",
    "RFC 9110, 7.6.1",
    ["X-A: 1", "Connection: X-A, x-b", "X-B: 2", "X-C: 3"],
    ["X-C: 3"],
  ),
  passes(
    "in several lines, with empty elements",
    "RFC 9110, 5.6.1",
    ["Connection: ,X-A,,", "Connection:\tX-B ,", "X-A: 1", "X-B: 2"],
    [],
  ),
  passes("a name that is not there", "RFC 9110, 7.6.1", ["Connection: X-Nothing", "X-A: 1"], ["X-A: 1"]),
  passes("Host cannot be named", "RFC 9110, 7.6.1", ["Connection: Host", "X-A: 1"], ["X-A: 1"]),
  passes(
    "Cookie and Authorization cannot be named",
    "RFC 9110, 7.6.1",
    ["Connection: cookie, authorization", "Cookie: a=1", "Authorization: x"],
    ["Cookie: a=1", "Authorization: x"],
  ),
  passes("Via cannot be named", "RFC 9110, 7.6.1", ["Connection: via", "Via: 1.1 b"], ["Via: 1.1 b"]),
  {
    name: "Content-Length cannot be named",
    rfc: "RFC 9110, 7.6.1",
    send: `${head("POST / HTTP/1.1", "Host: a", "Connection: close, content-length", "Content-Length: 2")}ab`,
    reaches: `${forwarded("POST / HTTP/1.1", "Host: a", "Content-Length: 2")}ab`,
    sees: okClosing,
  },
  {
    name: "Transfer-Encoding cannot be named",
    rfc: "RFC 9110, 7.6.1",
    send: `${head("POST / HTTP/1.1", "Host: a", "Connection: close, transfer-encoding", "Transfer-Encoding: chunked")}2\r\nab\r\n0\r\n\r\n`,
    reaches: `${head("POST / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked", "Via: 1.1 posthouse")}2\r\nab\r\n0\r\n\r\n`,
    sees: okClosing,
  },
  {
    name: "TE: trailers stays",
    rfc: "RFC 9110, 10.1.4",
    send: head(line, "Host: a", "TE: trailers", "Connection: close, TE"),
    reaches: head(line, "Host: a", "TE: trailers", "Connection: TE", "Via: 1.1 posthouse"),
    sees: okClosing,
  },
  {
    name: "of TE only trailers stays",
    rfc: "RFC 9110, 10.1.4",
    send: head(line, "Host: a", "TE: gzip;q=0.5, Trailers", "TE: deflate", "Connection: close, TE"),
    reaches: head(line, "Host: a", "TE: trailers", "Connection: TE", "Via: 1.1 posthouse"),
    sees: okClosing,
  },
];

const trusted: WireCase[] = [
  passes(
    "who asks cannot be named",
    "RFC 9110, 7.6.1",
    [
      "Connection: Forwarded, X-Forwarded-For, X-Real-IP",
      "Forwarded: for=1.2.3.4",
      "X-Forwarded-For: 1.2.3.4",
      "X-Real-IP: 1.2.3.4",
    ],
    ["Forwarded: for=1.2.3.4", "X-Forwarded-For: 1.2.3.4", "X-Real-IP: 1.2.3.4"],
  ),
];

describe("header fields of a request", () => {
  it.each(fields)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("Host", () => {
  it.each(hosts)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("hop-by-hop header fields of a request", () => {
  it.each(hopByHop)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("header fields of a trusted proxy", () => {
  it.each(trusted)("$name ($rfc)", async (wireCase) => {
    await using behind = await startWireBench({ site: { trusted_proxies: ["127.0.0.1"] } });
    await behind.run(wireCase);
  });
});
