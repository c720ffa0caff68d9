import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import { badHost, badRequest, badTarget, badVersion, forwarded, head, okClosing } from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench();
});
afterAll(() => bench[Symbol.asyncDispose]());

const asked = (line: string, host = "a"): string => head(line, `Host: ${host}`, "Connection: close");
const passes = (name: string, rfc: string, line: string, reached: string = line, host = "a"): WireCase => ({
  name,
  rfc,
  send: asked(line),
  reaches: forwarded(reached, `Host: ${host}`),
  sees: okClosing,
});
const refuses = (name: string, rfc: string, send: string, sees: string = badRequest): WireCase => ({
  name,
  rfc,
  send,
  reaches: "",
  sees,
});

const targets: WireCase[] = [
  passes("a path", "RFC 9112, 3.2.1", "GET /a/b HTTP/1.1"),
  passes("a path and a query", "RFC 9112, 3.2.1", "GET /a?b=c&d HTTP/1.1"),
  passes("an empty query", "RFC 9112, 3.2.1", "GET /a? HTTP/1.1"),
  passes("two slashes are not one", "RFC 3986, 3.3", "GET //a//b HTTP/1.1"),
  passes("dot segments stay", "RFC 3986, 6.2.2.3", "GET /a/../b/./c HTTP/1.1"),
  passes("encoded dot segments stay", "RFC 3986, 6.2.2.3", "GET /a/%2e%2E/b HTTP/1.1"),
  passes("an encoded slash stays", "RFC 3986, 2.2", "GET /a%2fb%2Fc HTTP/1.1"),
  passes("hexadecimal case stays", "RFC 3986, 6.2.2.1", "GET /%7e%7E HTTP/1.1"),
  passes("a bad escape in the path stays", "RFC 3986, 2.1", "GET /a%zz%4 HTTP/1.1"),
  passes("a bad escape in the query stays", "RFC 3986, 2.1", "GET /?a=%zz% HTTP/1.1"),
  passes("a pipe and brackets stay", "RFC 3986, 2.2", 'GET /a|b[c]{d}^`\\" HTTP/1.1'),
  passes("a second question mark stays", "RFC 3986, 3.4", "GET /a?b?c HTTP/1.1"),
  passes("a semicolon stays", "RFC 3986, 3.3", "GET /a;b=c HTTP/1.1"),
  passes("an escaped NUL stays escaped", "RFC 3986, 2.1", "GET /a%00b HTTP/1.1"),
  passes("an escaped line end stays escaped", "RFC 3986, 2.1", "GET /a%0d%0aX:%20y HTTP/1.1"),
  passes("an address in a path is a path", "RFC 9112, 3.2.1", "GET /http://b/ HTTP/1.1"),
  passes(
    "absolute form beats Host",
    "RFC 9112, 3.2.2",
    "GET http://b/c?d HTTP/1.1",
    "GET /c?d HTTP/1.1",
    "b",
  ),
  passes(
    "absolute form with a port",
    "RFC 9112, 3.2.2",
    "GET http://b:81/ HTTP/1.1",
    "GET / HTTP/1.1",
    "b:81",
  ),
  passes("absolute form without a path", "RFC 9112, 3.2.1", "GET http://b HTTP/1.1", "GET / HTTP/1.1", "b"),
  passes(
    "absolute form with a query alone",
    "RFC 9112, 3.2.1",
    "GET http://b?c HTTP/1.1",
    "GET /?c HTTP/1.1",
    "b",
  ),
  passes("absolute form of https", "RFC 9112, 3.2.2", "GET https://b/ HTTP/1.1", "GET / HTTP/1.1", "b"),
  passes("a scheme in capitals", "RFC 3986, 3.1", "GET HTTP://b/ HTTP/1.1", "GET / HTTP/1.1", "b"),
  passes(
    "two slashes behind the authority",
    "RFC 9112, 3.2.2",
    "GET http://b//c HTTP/1.1",
    "GET //c HTTP/1.1",
    "b",
  ),
  passes("OPTIONS of the server", "RFC 9112, 3.2.4", "OPTIONS * HTTP/1.1"),
  passes("OPTIONS of a path", "RFC 9110, 9.3.7", "OPTIONS /a HTTP/1.1"),
  passes(
    "OPTIONS of an authority alone",
    "RFC 9112, 3.2.4",
    "OPTIONS http://b HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "b",
  ),
  passes(
    "OPTIONS of an authority and a path",
    "RFC 9112, 3.2.4",
    "OPTIONS http://b/ HTTP/1.1",
    "OPTIONS / HTTP/1.1",
    "b",
  ),
  refuses("an asterisk for another method", "RFC 9112, 3.2.4", asked("GET * HTTP/1.1"), badTarget),
  refuses("a word", "RFC 9112, 3.2", asked("GET a HTTP/1.1")),
  refuses("an authority", "RFC 9112, 3.2.3", asked("GET a:80 HTTP/1.1")),
  refuses("a user in absolute form", "RFC 9110, 4.2.4", asked("GET http://u@b/ HTTP/1.1"), badTarget),
  refuses(
    "a user and a password in absolute form",
    "RFC 9110, 4.2.4",
    asked("GET http://b:1@c/ HTTP/1.1"),
    badTarget,
  ),
  refuses("absolute form without a host", "RFC 9110, 4.2.1", asked("GET http:///a HTTP/1.1"), badTarget),
  refuses("absolute form without slashes", "RFC 9110, 4.2.1", asked("GET http:a HTTP/1.1")),
  refuses("absolute form with a bad port", "RFC 9110, 4.2.1", asked("GET http://b:x/ HTTP/1.1"), badTarget),
  refuses(
    "absolute form with an escape in the host",
    "RFC 9110, 4.2.1",
    asked("GET http://b%20c/ HTTP/1.1"),
    badTarget,
  ),
  refuses(
    "absolute form does not excuse a bad Host",
    "RFC 9112, 3.2",
    asked("GET http://b/ HTTP/1.1", "x y"),
    badHost,
  ),
  refuses("bytes above 0x7F", "RFC 9112, 3.2", asked("GET /caf\xc3\xa9 HTTP/1.1")),
  refuses("a byte above 0x7F in the query", "RFC 9112, 3.2", asked("GET /?\xff HTTP/1.1")),
  refuses("a space", "RFC 9112, 3", asked("GET /a b HTTP/1.1")),
  refuses("a tab", "RFC 9112, 3", asked("GET /a\tb HTTP/1.1")),
  refuses("NUL", "RFC 9112, 3", asked("GET /a\0b HTTP/1.1")),
  refuses("DEL", "RFC 9112, 3", asked("GET /a\x7fb HTTP/1.1")),
  refuses("a bare CR", "RFC 9112, 2.2", asked("GET /a\rb HTTP/1.1")),
];

const methods: WireCase[] = [
  ...["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "REPORT", "PURGE", "QUERY"].map(
    (method) => passes(method, "RFC 9110, 9.3", `${method} /a HTTP/1.1`),
  ),
  refuses("a method nobody knows", "RFC 9110, 9.1", asked("FOO / HTTP/1.1")),
  refuses("methods have case", "RFC 9110, 9.1", asked("get / HTTP/1.1")),
  refuses("a method with odd bytes", "RFC 9110, 9.1", asked("G\0T / HTTP/1.1")),
  refuses(
    "CONNECT",
    "RFC 9110, 9.3.6",
    head("CONNECT a:443 HTTP/1.1", "Host: a:443"),
    "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 19\r\nConnection: close\r\n\r\nmethod not allowed\n",
  ),
];

const lines: WireCase[] = [
  refuses("no version", "RFC 9112, 2.3", "GET /\r\nHost: a\r\n\r\n", badVersion),
  refuses("HTTP/0.9", "RFC 9112, 2.3", asked("GET / HTTP/0.9"), badVersion),
  refuses("HTTP/2.0", "RFC 9112, 2.3", asked("GET / HTTP/2.0"), badVersion),
  refuses("HTTP/1.2", "RFC 9112, 2.3", asked("GET / HTTP/1.2")),
  refuses("HTTP/1.10", "RFC 9112, 2.3", asked("GET / HTTP/1.10")),
  refuses("HTTP/1", "RFC 9112, 2.3", asked("GET / HTTP/1")),
  refuses("http/1.1", "RFC 9112, 2.3", asked("GET / http/1.1")),
  refuses("another protocol", "RFC 9112, 2.3", asked("GET / ICE/1.0")),
  refuses("a space at the end", "RFC 9112, 3", asked("GET / HTTP/1.1 ")),
  refuses("a space before the method", "RFC 9112, 3", asked(" GET / HTTP/1.1")),
  refuses("tabs instead of spaces", "RFC 9112, 3", asked("GET\t/\tHTTP/1.1")),
  refuses("a bare LF behind the line", "RFC 9112, 2.2", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
  refuses("a bare CR behind the line", "RFC 9112, 2.2", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
  refuses("the preface of HTTP/2", "RFC 9113, 3.4", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  refuses("a TLS hello", "RFC 9112, 3", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
  {
    name: "two spaces are one",
    rfc: "RFC 9112, 3",
    send: asked("GET  / HTTP/1.1"),
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
    sees: okClosing,
  },
  {
    name: "an empty line before the request",
    rfc: "RFC 9112, 2.2",
    send: `\r\n${asked("GET / HTTP/1.1")}`,
    reaches: forwarded("GET / HTTP/1.1", "Host: a"),
    sees: okClosing,
  },
];

describe("request targets", () => {
  it.each(targets)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("methods", () => {
  it.each(methods)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("request lines", () => {
  it.each(lines)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
