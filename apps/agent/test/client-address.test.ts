import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClientAddress, type TrustedHeaders } from "../src/http/client-address.ts";

const anyText = fc.string({ unit: fc.nat(0x2ff).map((code) => String.fromCharCode(code)) });

const own = { scheme: "http", host: "own.example:8080" } as const;
const privateNetworks = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fd00::/8",
];
const everything: TrustedHeaders = { xForwardedHost: true, xForwardedProto: true, xForwardedBy: true };
const forwarded = (...lines: string[]): string[] => lines.flatMap((value) => ["Forwarded", value]);
const forwardedFor = (...lines: string[]): string[] => lines.flatMap((value) => ["X-Forwarded-For", value]);
const trusting = createClientAddress(privateNetworks);

describe("the client behind trusted proxies", () => {
  it.each<[string, string, string[], object]>([
    [
      "the last element whose subject is no proxy",
      "127.0.0.1",
      forwarded('for="1.1.1.1";proto=http;host=test.domain,for="192.168.10.0";proto=https;host=yolo.domain'),
      { ip: "1.1.1.1", scheme: "http", host: "test.domain" },
    ],
    ["spaces around the equals sign", "::1", forwarded("  for = 1.2.3.4"), { ip: "1.2.3.4" }],
    ["the last address", "192.168.2.60", forwardedFor("1.1.1.1, 8.8.8.8"), { ip: "8.8.8.8" }],
    [
      "several lines as one list",
      "10.0.0.1",
      forwardedFor("1.1.1.1", "8.8.8.8", "10.1.1.1"),
      { ip: "8.8.8.8" },
    ],
    ["an empty last line", "10.0.0.1", forwardedFor("1.1.1.1", ""), { ip: "1.1.1.1" }],
    ["empty items", "10.0.0.1", forwardedFor(",1.1.1.1 ,, "), { ip: "1.1.1.1" }],
    ["a line that begins with a comma", "10.0.0.1", forwardedFor("1.1.1.1", ",10.1.1.1"), { ip: "1.1.1.1" }],
    [
      "what is no element ends the walk",
      "10.0.0.1",
      forwarded("for=1.1.1.1, for=2.2.2.2 x"),
      { ip: "10.0.0.1" },
    ],
    [
      "names in any case",
      "10.0.0.1",
      ["fORWARDED", "FOR=1.1.1.1;PROTO=HTTPS"],
      { ip: "1.1.1.1", scheme: "https" },
    ],
    [
      "several Forwarded lines as one list",
      "10.0.0.1",
      forwarded("for=6.6.6.6", "for=1.1.1.1;host=a.example", "for=10.2.2.2;host=b.example"),
      { ip: "1.1.1.1", host: "a.example" },
    ],
    [
      "an IPv6 address and a port",
      "fd00::1",
      forwarded('for="[2001:DB8::17]:4711"'),
      { ip: "2001:db8::17", port: 4711 },
    ],
    ["a bare IPv6 address", "10.0.0.1", forwardedFor("2001:db8::17"), { ip: "2001:db8::17" }],
    [
      "brackets and port in X-Forwarded-For",
      "10.0.0.1",
      forwardedFor("[2001:db8::17]:80"),
      { ip: "2001:db8::17", port: 80 },
    ],
    ["an IPv4 address and a port", "10.0.0.1", forwardedFor("1.1.1.1:4711"), { ip: "1.1.1.1", port: 4711 }],
    ["a mapped peer", "::ffff:10.0.0.1", forwardedFor("1.1.1.1"), { ip: "1.1.1.1" }],
    ["a mapped proxy in the list", "10.0.0.1", forwardedFor("1.1.1.1, ::ffff:10.3.3.3"), { ip: "1.1.1.1" }],
    ["a mapped client", "10.0.0.1", forwarded('for="[::ffff:1.1.1.1]"'), { ip: "1.1.1.1" }],
    [
      "Forwarded before X-Forwarded-For",
      "10.0.0.1",
      [...forwardedFor("2.2.2.2"), ...forwarded("for=1.1.1.1")],
      { ip: "1.1.1.1" },
    ],
    [
      "X-Forwarded-For after trusted elements only",
      "10.0.0.1",
      [...forwarded("for=10.1.1.1;host=a.example"), ...forwardedFor("2.2.2.2")],
      { ip: "2.2.2.2" },
    ],
    [
      "a subject that is no address ends the walk",
      "10.0.0.1",
      forwarded("for=1.1.1.1, for=unknown"),
      { ip: "10.0.0.1" },
    ],
    [
      "a hidden subject ends the walk",
      "10.0.0.1",
      forwarded("for=1.1.1.1, for=_x, for=10.1.1.1"),
      { ip: "10.0.0.1" },
    ],
    [
      "a hidden subject, X-Forwarded-For",
      "10.0.0.1",
      [...forwarded("for=1.1.1.1, for=_x"), ...forwardedFor("2.2.2.2")],
      { ip: "2.2.2.2" },
    ],
    [
      "host and scheme without a subject",
      "10.0.0.1",
      forwarded("for=1.1.1.1, proto=https;host=a.example"),
      { ip: "10.0.0.1", scheme: "https", host: "a.example" },
    ],
    [
      "a malformed element ends the walk",
      "10.0.0.1",
      forwarded('for=1.1.1.1, for="2.2.2.2'),
      { ip: "10.0.0.1" },
    ],
    [
      "an open quote swallows nothing",
      "10.0.0.1",
      forwarded('for=6.6.6.6;x=", for=1.1.1.1'),
      { ip: "1.1.1.1" },
    ],
    [
      "an open quote before a quoted address",
      "10.0.0.1",
      forwarded('for=6.6.6.6;x=", for="[2001:db8::1]"'),
      { ip: "2001:db8::1" },
    ],
    [
      "an address that cannot be read ends the walk",
      "10.0.0.1",
      forwardedFor("1.1.1.1, x, 10.1.1.1"),
      { ip: "10.0.0.1" },
    ],
    [
      "an address written in octal is none",
      "10.0.0.1",
      forwardedFor("1.1.1.1, 010.0.0.1"),
      { ip: "10.0.0.1" },
    ],
    [
      "proxies only",
      "10.0.0.1",
      [...forwarded("for=10.1.1.1;host=a.example;proto=https;by=p"), ...forwardedFor("10.2.2.2")],
      { ip: "10.0.0.1" },
    ],
    [
      "a quoted host with its port",
      "10.0.0.1",
      forwarded('for=1.1.1.1;host="a.example:8443"'),
      { ip: "1.1.1.1", host: "a.example:8443" },
    ],
    ["a host that is none", "10.0.0.1", forwarded('for=1.1.1.1;host="a b"'), { ip: "1.1.1.1" }],
    ["a scheme that is none", "10.0.0.1", forwarded('for=1.1.1.1;proto="a b"'), { ip: "1.1.1.1" }],
    [
      "the proxy that the client reached",
      "10.0.0.1",
      forwarded('for=1.1.1.1;by="203.0.113.43"'),
      { ip: "1.1.1.1", by: "203.0.113.43" },
    ],
    ["no header", "10.0.0.1", ["Host", "x"], { ip: "10.0.0.1" }],
    [
      "X-Forwarded-Host and the like without being told",
      "10.0.0.1",
      ["X-Forwarded-Host", "a", "X-Forwarded-Proto", "https", "X-Forwarded-By", "p"],
      { ip: "10.0.0.1" },
    ],
    [
      "other names of the same length",
      "10.0.0.1",
      ["X-Forwarded-Fox", "1.1.1.1", "X_Forwarded_For", "1.1.1.1"],
      { ip: "10.0.0.1" },
    ],
  ])("%s", (_, peer, rawHeaders, expected) => {
    expect(trusting.resolve(peer, rawHeaders, own)).toEqual({ ...own, trusted: true, ...expected });
  });

  it("skips an address that is trusted by itself", () => {
    const { resolve } = createClientAddress([...privateNetworks, "8.8.8.8"]);
    expect(resolve("192.168.2.60", forwardedFor("1.1.1.1, 8.8.8.8"), own).ip).toBe("1.1.1.1");
  });

  it.each<[string, TrustedHeaders, string[], object]>([
    [
      "the last item of each",
      everything,
      ["X-Forwarded-Host", "a, b.example:81", "X-Forwarded-Proto", "http,HTTPS", "X-Forwarded-By", "p, q "],
      { host: "b.example:81", scheme: "https", by: "q" },
    ],
    ["of the last line", everything, ["X-Forwarded-Host", "a", "X-Forwarded-Host", "b"], { host: "b" }],
    [
      "Forwarded first",
      everything,
      [...forwarded("host=f.example"), "X-Forwarded-Host", "x.example", "X-Forwarded-Proto", "https"],
      { host: "f.example", scheme: "https" },
    ],
    [
      "one only",
      { xForwardedProto: true },
      ["X-Forwarded-Host", "a", "X-Forwarded-Proto", "https"],
      { scheme: "https" },
    ],
    [
      "no host",
      everything,
      ["X-Forwarded-Host", "a/b", "X-Forwarded-Proto", "", "X-Forwarded-By", "\u0101"],
      {},
    ],
    [
      "Forwarded switched off",
      { forwarded: false },
      [...forwarded("for=6.6.6.6;host=e"), ...forwardedFor("1.1.1.1")],
      { ip: "1.1.1.1" },
    ],
    ["X-Forwarded-For switched off", { xForwardedFor: false }, forwardedFor("6.6.6.6"), {}],
  ])("with chosen headers: %s", (_, headers, rawHeaders, expected) => {
    const { resolve } = createClientAddress(["10.0.0.0/8"], headers);
    expect(resolve("10.0.0.1", rawHeaders, own)).toEqual({
      ip: "10.0.0.1",
      ...own,
      trusted: true,
      ...expected,
    });
    expect(resolve("1.2.3.4", rawHeaders, own)).toEqual({ ip: "1.2.3.4", ...own, trusted: false });
  });

  it("is sought among a hundred elements", () => {
    const proxies = (count: number): string => ", 10.0.0.2".repeat(count);
    const elements = (count: number): string => ", for=10.0.0.2".repeat(count);
    expect(trusting.resolve("10.0.0.1", forwardedFor(`1.1.1.1${proxies(99)}`), own).ip).toBe("1.1.1.1");
    expect(trusting.resolve("10.0.0.1", forwardedFor(`1.1.1.1${proxies(100)}`), own).ip).toBe("10.0.0.1");
    expect(trusting.resolve("10.0.0.1", forwarded(`for=1.1.1.1${elements(99)}`), own).ip).toBe("1.1.1.1");
    expect(trusting.resolve("10.0.0.1", forwarded(`for=1.1.1.1${elements(100)}`), own).ip).toBe("10.0.0.1");
  });

  it("stands behind a unix socket when that is trusted", () => {
    const { resolve } = createClientAddress(["unix"]);
    expect(resolve("unix", forwardedFor("1.1.1.1"), own)).toEqual({ ip: "1.1.1.1", ...own, trusted: true });
    expect(resolve("unix", [], own)).toEqual({ ip: "unix", ...own, trusted: true });
    expect(resolve("", forwardedFor("1.1.1.1"), own)).toEqual({ ip: "", ...own, trusted: false });
    expect(trusting.resolve("unix", forwardedFor("1.1.1.1"), own)).toEqual({
      ip: "unix",
      ...own,
      trusted: false,
    });
  });

  it("refuses a network that is none", () => {
    expect(() => createClientAddress(["10.0.0.0/8", "10.0.0.0/40"])).toThrow(TypeError);
  });
});

describe("a client that is no trusted proxy", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["2001:db8::1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["", ""],
  ])("%s is %s", (peer, ip) => {
    for (const trusted of [[], ["10.0.0.0/8"]]) {
      const client = createClientAddress(trusted).resolve(peer, forwardedFor("6.6.6.6"), own);
      expect(client).toEqual({ ip, ...own, trusted: false });
    }
  });

  const name = fc.constantFrom(
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "x-forwarded-by",
  );
  const piece = fc.constantFrom(
    "for=",
    "host=",
    "proto=",
    "by=",
    "6.6.6.6",
    "10.0.0.1",
    "[::1]",
    '"',
    ",",
    ";",
    "\\",
    ":",
    " ",
    "\0",
  );
  const value = fc.oneof(
    fc.array(piece).map((pieces) => pieces.join("")),
    anyText,
  );
  const headers = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => pairs.flat());
  const resolvers = [
    createClientAddress([], everything),
    createClientAddress(privateNetworks),
    createClientAddress(privateNetworks, everything),
  ];

  it("is who it is, whatever its headers say", () => {
    const peers = fc.constantFrom(
      ["1.2.3.4", "1.2.3.4"],
      ["::ffff:8.8.8.8", "8.8.8.8"],
      ["2001:db8::1", "2001:db8::1"],
    );
    fc.assert(
      fc.property(headers, peers, (rawHeaders, [peer = "", ip]) => {
        for (const { resolve } of resolvers) {
          expect(resolve(peer, rawHeaders, own)).toEqual({ ip, ...own, trusted: false });
        }
      }),
    );
  });

  it("is who the last trusted proxy saw, whatever the headers it sent through it say", () => {
    const written = fc.constantFrom(
      ["Forwarded", "for=1.2.3.4;host=a.example;proto=https"],
      ["Forwarded", 'host="a.example";for="1.2.3.4:99";proto="https"'],
      ["Forwarded", 'for=1.2.3.4;host=a.example;proto=https,for="[fd00::2]";host=b.example'],
    );
    const resolve = createClientAddress(privateNetworks, everything).resolve;
    fc.assert(
      fc.property(value, headers, written, fc.boolean(), (sent, others, [header = "", line = ""], append) => {
        const own2 = append ? [header, `${sent}, ${line}`] : [header, sent, header, line];
        const rest = others.flatMap((text, index) =>
          index % 2 === 0 && text !== "Forwarded" ? [text, others[index + 1] ?? ""] : [],
        );
        const client = resolve("10.0.0.1", [...own2, ...rest], own);
        expect(client).toMatchObject({ ip: "1.2.3.4", host: "a.example", scheme: "https", trusted: true });
      }),
    );
    fc.assert(
      fc.property(value, fc.boolean(), (sent, append) => {
        const lines = append ? [`${sent}, 1.2.3.4, 10.9.9.9`] : [sent, "1.2.3.4, 10.9.9.9"];
        expect(trusting.resolve("10.0.0.1", forwardedFor(...lines), own).ip).toBe("1.2.3.4");
      }),
    );
  });

  it("never makes it throw, through a trusted proxy neither", () => {
    const pairs = fc.array(fc.oneof(name, value), { maxLength: 7 });
    fc.assert(
      fc.property(fc.oneof(fc.constant("10.0.0.1"), anyText), pairs, (peer, rawHeaders) => {
        for (const { resolve } of resolvers) {
          const { scheme, host, by = "" } = resolve(peer, rawHeaders, own);
          expect(`${scheme} ${host} ${by}`).toMatch(/^[ -~]*$/);
        }
      }),
    );
  });
});
