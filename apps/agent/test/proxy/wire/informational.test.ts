import type { RawScript } from "@posthouse/testkit/raw-backend";
import { afterAll, beforeAll, describe, it } from "vitest";
import { startWireBench, type WireBench, type WireCase } from "./bench.ts";
import {
  badGateway,
  closing,
  forwarded,
  head,
  keeping,
  ok,
  okClosing,
  okKeeping,
  refusal,
  via,
} from "./bytes.ts";

let bench: WireBench;
beforeAll(async () => {
  bench = await startWireBench({ forward: { timeouts: { first_byte: "5s" } } });
});
afterAll(() => bench[Symbol.asyncDispose]());

const get = head("GET / HTTP/1.1", "Host: a", "Connection: close");
const gotGet = forwarded("GET / HTTP/1.1", "Host: a");
const before = (
  name: string,
  rfc: string,
  informational: string,
  seen: string = informational,
): WireCase => ({
  name,
  rfc,
  send: get,
  answer: informational + ok,
  reaches: gotGet,
  sees: seen + okClosing,
});

const informational: WireCase[] = [
  before("100 that nobody waits for", "RFC 9110, 15.2.1", head("HTTP/1.1 100 Continue")),
  before("102", "RFC 9110, 15.2", head("HTTP/1.1 102 Processing")),
  before(
    "103 with its headers, in order, case and repetition",
    "RFC 8297, 2",
    head("HTTP/1.1 103 Early Hints", "link: </b.css>; rel=preload", "X-A: 1", "Link: </a.js>; rel=preload"),
  ),
  before(
    "several",
    "RFC 9110, 15.2",
    head("HTTP/1.1 102 Processing") +
      head("HTTP/1.1 103 Early Hints", "Link: a") +
      head("HTTP/1.1 103 Early Hints", "Link: b"),
  ),
  before(
    "bytes above 0x7F in a 103 stay",
    "RFC 9110, 5.5",
    head("HTTP/1.1 103 Early Hints", "X: caf\xc3\xa9"),
  ),
  before(
    "hop-by-hop headers of a 103 go",
    "RFC 9110, 7.6.1",
    head("HTTP/1.1 103 Early Hints", "Connection: X-A", "X-A: 1", "X-B: 2"),
    head("HTTP/1.1 103 Early Hints", "X-B: 2"),
  ),
  before(
    "a length in a 103 goes",
    "RFC 9110, 8.6",
    head("HTTP/1.1 103 Early Hints", "Content-Length: 5", "X-B: 2"),
    head("HTTP/1.1 103 Early Hints", "X-B: 2"),
  ),
  before(
    "the reason of a 1xx is the usual one",
    "RFC 9112, 4",
    head("HTTP/1.1 103 Hints!"),
    head("HTTP/1.1 103 Early Hints"),
  ),
  {
    name: "sixteen are enough",
    rfc: "RFC 9110, 15.2",
    send: get,
    answer: head("HTTP/1.1 102 Processing").repeat(17) + ok,
    reaches: gotGet,
    sees: head("HTTP/1.1 102 Processing").repeat(16) + badGateway,
  },
  {
    name: "one, and the end",
    rfc: "RFC 9112, 8",
    send: get,
    answer: ({ socket }) => void socket.end(head("HTTP/1.1 103 Early Hints", "X: 1")),
    reaches: gotGet,
    sees: head("HTTP/1.1 103 Early Hints", "X: 1") + badGateway,
  },
  {
    name: "101 to one who did not ask",
    rfc: "RFC 9110, 15.2.2",
    send: get,
    answer: head("HTTP/1.1 101 Switching Protocols", "Connection: Upgrade", "Upgrade: x"),
    reaches: gotGet,
    sees: badGateway,
  },
];

const expecting = (...lines: string[]): string =>
  head("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", ...lines);
const gotExpecting = (...lines: string[]): string =>
  forwarded("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", ...lines);
const goOn = head("HTTP/1.1 100 Continue");
/** Says 100 to a head, and answers when the body is there. */
const continuing: RawScript = ({ socket, received }) =>
  void socket.write(received.endsWith("\r\n\r\n") && !received.endsWith("\r\n0\r\n\r\n") ? goOn : ok);

const expectations: WireCase[] = [
  {
    name: "the backend says 100",
    rfc: "RFC 9110, 10.1.1",
    send: [expecting("Content-Length: 4"), { seen: goOn }, "body"],
    answer: continuing,
    reaches: `${gotExpecting("Content-Length: 4")}body`,
    sees: goOn + okKeeping,
    open: true,
  },
  {
    name: "the backend says 100, and the body is chunked",
    rfc: "RFC 9110, 10.1.1",
    send: [expecting("Transfer-Encoding: chunked"), { seen: goOn }, "4\r\nbody\r\n0\r\n\r\n"],
    answer: continuing,
    reaches: `${head("POST / HTTP/1.1", "Host: a", "Expect: 100-continue", "Transfer-Encoding: chunked", via)}4\r\nbody\r\n0\r\n\r\n`,
    sees: goOn + okKeeping,
    open: true,
  },
  {
    name: "in capitals",
    rfc: "RFC 9110, 10.1.1",
    send: [
      head("POST / HTTP/1.1", "Host: a", "expect: 100-Continue", "Content-Length: 4"),
      { seen: goOn },
      "body",
    ],
    answer: continuing,
    reaches: `${forwarded("POST / HTTP/1.1", "Host: a", "expect: 100-Continue", "Content-Length: 4")}body`,
    sees: goOn + okKeeping,
    open: true,
  },
  {
    name: "the backend answers instead: the body is not waited for, and the connection ends",
    rfc: "RFC 9110, 10.1.1",
    send: expecting("Content-Length: 4"),
    answer: ({ socket }) => void socket.write(`${head("HTTP/1.1 401 Unauthorized", "Content-Length: 2")}no`),
    reaches: gotExpecting("Content-Length: 4"),
    sees: `${closing("HTTP/1.1 401 Unauthorized", "Content-Length: 2")}no`,
  },
  {
    name: "the backend redirects",
    rfc: "RFC 9110, 10.1.1",
    send: expecting("Content-Length: 4"),
    answer: ({ socket }) =>
      void socket.write(head("HTTP/1.1 307 Temporary Redirect", "Location: /b", "Content-Length: 0")),
    reaches: gotExpecting("Content-Length: 4"),
    sees: closing("HTTP/1.1 307 Temporary Redirect", "Location: /b", "Content-Length: 0"),
  },
  {
    name: "the backend says 417",
    rfc: "RFC 9110, 15.5.18",
    send: expecting("Content-Length: 4"),
    answer: ({ socket }) => void socket.end(head("HTTP/1.1 417 Expectation Failed", "Content-Length: 0")),
    reaches: gotExpecting("Content-Length: 4"),
    sees: closing("HTTP/1.1 417 Expectation Failed", "Content-Length: 0"),
  },
  {
    name: "the backend ignores it, and the client goes on by itself",
    rfc: "RFC 9110, 10.1.1",
    send: [expecting("Content-Length: 4"), { reached: "posthouse\r\n\r\n" }, "body"],
    answer: ({ socket, received }) => void (received.endsWith("body") && socket.write(ok)),
    reaches: `${gotExpecting("Content-Length: 4")}body`,
    sees: okClosing,
  },
  {
    name: "the body comes at once",
    rfc: "RFC 9110, 10.1.1",
    send: `${expecting("Content-Length: 4", "Connection: close")}body`,
    answer: ({ socket, received }) => void (received.endsWith("body") && socket.write(goOn + ok)),
    reaches: `${gotExpecting("Content-Length: 4")}body`,
    sees: goOn + okClosing,
  },
  {
    name: "without a body",
    rfc: "RFC 9110, 10.1.1",
    send: head("GET / HTTP/1.1", "Host: a", "Expect: 100-continue", "Connection: close"),
    reaches: forwarded("GET / HTTP/1.1", "Host: a", "Expect: 100-continue"),
    sees: okClosing,
  },
  {
    name: "two 100",
    rfc: "RFC 9110, 15.2",
    send: [expecting("Content-Length: 4"), { seen: goOn }, "body"],
    answer: ({ socket, received }) => void socket.write(received.endsWith("body") ? ok : goOn + goOn),
    reaches: `${gotExpecting("Content-Length: 4")}body`,
    sees: goOn + goOn + okKeeping,
    open: true,
  },
  {
    name: "100, then 403 before the body: it is read, and the connection goes on",
    rfc: "RFC 9110, 10.1.1",
    send: [expecting("Content-Length: 4"), { seen: "no" }, `body${get}`],
    answer: ({ socket, received }) =>
      void (received.startsWith("POST")
        ? socket.write(`${goOn}${head("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no`)
        : socket.write(ok)),
    reaches: [gotExpecting("Content-Length: 4"), gotGet],
    sees: `${goOn}${keeping("HTTP/1.1 403 Forbidden", "Content-Length: 2")}no${okClosing}`,
  },
  {
    name: "from an old client it means nothing",
    rfc: "RFC 9110, 10.1.1",
    send: `${head("POST / HTTP/1.0", "Host: a", "Expect: 100-continue", "Content-Length: 4")}body`,
    answer: ({ socket, received }) => void (received.endsWith("body") && socket.write(ok)),
    reaches: `${head("POST / HTTP/1.1", "Host: a", "Content-Length: 4", "Via: 1.0 posthouse")}body`,
    sees: okClosing,
  },
  {
    name: "something else is expected",
    rfc: "RFC 9110, 10.1.1",
    send: head("GET / HTTP/1.1", "Host: a", "Expect: miracle", "Connection: close"),
    reaches: "",
    sees: closing(
      "HTTP/1.1 417 Expectation Failed",
      "Content-Type: text/plain; charset=utf-8",
      "Content-Length: 19",
    ).concat("expectation failed\n"),
  },
];

/** Where clients are waited for only so long that the test can. */
const nobodyGoesOn: WireCase = {
  name: "nobody goes on: the client was waited for",
  rfc: "RFC 9110, 15.5.9",
  send: expecting("Content-Length: 4"),
  answer: () => {},
  reaches: gotExpecting("Content-Length: 4"),
  sees: refusal("408 Request Timeout", "408 the request took too long to arrive\n"),
};

describe("informational answers", () => {
  it.each(informational)("$name ($rfc)", (wireCase) => bench.run(wireCase));
});
describe("Expect: 100-continue", () => {
  it.each(expectations)("$name ($rfc)", (wireCase) => bench.run(wireCase));

  it.each([nobodyGoesOn])("$name ($rfc)", async (wireCase) => {
    await using impatient = await startWireBench({ forward: { timeouts: { first_byte: "300ms" } } });
    await impatient.run(wireCase);
  });
});
