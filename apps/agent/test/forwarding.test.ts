import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ClientAddress, createClientAddress, type OwnAddress } from "../src/http/client-address.ts";
import { parseForwardedElement } from "../src/http/forwarded-element.ts";
import { createForwarding, type ForwardedStrategy } from "../src/proxy/forwarded.ts";

const own: OwnAddress = { scheme: "http", host: "own.example" };
const strategies: ForwardedStrategy[] = ["auto", "none", "forwarded", "xforwarded"];
const proxy = "10.0.0.1";
const resolver = createClientAddress(["10.0.0.0/8", "unix"]);

/** The lines added for a request from a peer; those of 10.0.0.0/8 are trusted. */
function added(strategy: ForwardedStrategy, peer: string, headers: string[], by = "", at = own): string[] {
  const client = resolver.resolve(peer, headers, at);
  const { added, dropped } = createForwarding(strategy, { by }).apply(headers, client, peer, at);
  const passed = headers.flatMap((name, index) =>
    index % 2 === 0 && !dropped.has(name.toLowerCase()) ? [`${name}: ${headers[index + 1]}`] : [],
  );
  const lines = added.split("\r\n");
  expect(lines.pop()).toBe("");
  return [...passed, ...lines];
}

const spoofs = [
  "Forwarded",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Proto",
  "X-Forwarded-By",
  "X-Forwarded-Port",
  "X-Forwarded-Scheme",
  "X-Forwarded-Ssl",
  "X-Forwarded-Server",
  "X-Forwarded-Prefix",
  "X-Real-IP",
  "x_forwarded_for",
  "X-Forwarded_For",
  "X_Forwarded-Proto",
  "X_Real_IP",
].flatMap((name) => [name, "6.6.6.6"]);

describe("what the backend is told of a client that is no trusted proxy", () => {
  const others = ["Accept", "*/*", "Via", "1.1 x", "X-Forwarded", "y", "X-Request-Id", "z"];
  const kept = ["Accept: */*", "Via: 1.1 x", "X-Forwarded: y", "X-Request-Id: z"];

  it.each<[ForwardedStrategy, string[]]>([
    ["none", []],
    ["xforwarded", ["X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: http", "X-Forwarded-Host: own.example"]],
    ["forwarded", ["Forwarded: for=1.2.3.4;host=own.example;proto=http"]],
    ["auto", ["Forwarded: for=1.2.3.4;host=own.example;proto=http"]],
  ])("%s: its own claims are replaced", (strategy, lines) => {
    expect(added(strategy, "1.2.3.4", [...others, ...spoofs])).toEqual([...kept, ...lines]);
    expect(added(strategy, "1.2.3.4", others)).toEqual([...kept, ...lines]);
  });

  it("names the proxy when it has a name", () => {
    expect(added("xforwarded", "1.2.3.4", [], "edge-1")).toContain("X-Forwarded-By: edge-1");
    expect(added("forwarded", "1.2.3.4", [], "edge-1")).toEqual([
      "Forwarded: for=1.2.3.4;by=_edge-1;host=own.example;proto=http",
    ]);
  });

  it.each([
    ["edge", "_edge"],
    ["_edge", "_edge"],
    ["_", "__"],
    ["203.0.113.43", "203.0.113.43"],
    ["[2001:db8::1]:80", '"[2001:db8::1]:80"'],
    ["2001:db8::1", '"[2001:db8::1]"'],
    ["a b:c", "_a_b_c"],
    ['a"\r\nX: y', "_a___X__y"],
  ])("the name %j is the node %s", (by, node) => {
    expect(added("forwarded", "1.2.3.4", [], by)).toEqual([
      `Forwarded: for=1.2.3.4;by=${node};host=own.example;proto=http`,
    ]);
  });

  it.each([
    ["2001:db8::1", '"[2001:db8::1]"', "2001:db8::1"],
    ["::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"],
    ["fe80::1%eth0", '"[fe80::1]"', "fe80::1"],
    ["", "unknown", "unknown"],
    ["1.2.3.4\r\nX: y", "unknown", "unknown"],
  ])("the peer %j is %s or %s", (peer, node, address) => {
    expect(added("forwarded", peer, [])).toEqual([`Forwarded: for=${node};host=own.example;proto=http`]);
    expect(added("xforwarded", peer, [])[0]).toBe(`X-Forwarded-For: ${address}`);
  });

  it("quotes a host that is no token, and says the scheme", () => {
    const at: OwnAddress = { scheme: "https", host: "[2001:db8::2]:8443" };
    expect(added("forwarded", "1.2.3.4", [], "", at)).toEqual([
      'Forwarded: for=1.2.3.4;host="[2001:db8::2]:8443";proto=https',
    ]);
    expect(added("xforwarded", "1.2.3.4", [], "", at)).toEqual([
      "X-Forwarded-For: 1.2.3.4",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Host: [2001:db8::2]:8443",
    ]);
    expect(added("forwarded", "1.2.3.4", [], "", { scheme: "http", host: "a,for=6.6.6.6;proto=x" })).toEqual([
      'Forwarded: for=1.2.3.4;host="a,for=6.6.6.6;proto=x";proto=http',
    ]);
  });

  it.each(["", "a b", "a\r\nX: y", 'a"'])("does not pass on the host %j", (host) => {
    expect(added("forwarded", "1.2.3.4", [], "", { scheme: "http", host })).toEqual([
      "Forwarded: for=1.2.3.4;proto=http",
    ]);
    expect(added("xforwarded", "1.2.3.4", [], "", { scheme: "http", host })).toEqual([
      "X-Forwarded-For: 1.2.3.4",
      "X-Forwarded-Proto: http",
    ]);
  });
});

describe("what the backend is told behind a trusted proxy", () => {
  it.each<[string, ForwardedStrategy, string[], string[]]>([
    [
      "xforwarded appends",
      "xforwarded",
      ["X-Forwarded-For", "6.6.6.6", "x-forwarded-for", "1.2.3.4"],
      [
        "X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: own.example",
      ],
    ],
    [
      "xforwarded keeps scheme, host, proxies",
      "xforwarded",
      [
        "X-Forwarded-Proto",
        "https",
        "X-Forwarded-Host",
        "a.example",
        "X-Forwarded-By",
        "p",
        "X-Real-IP",
        "7.7.7.7",
      ],
      [
        "X-Forwarded-By: p",
        "X-Real-IP: 7.7.7.7",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: a.example",
      ],
    ],
    [
      "xforwarded says the scheme and host that Forwarded says",
      "xforwarded",
      ["Forwarded", "for=1.2.3.4;proto=https;host=a.example", "X-Forwarded-Proto", " "],
      [
        "Forwarded: for=1.2.3.4;proto=https;host=a.example",
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: a.example",
      ],
    ],
    [
      "xforwarded lets no byte of a value end its line",
      "xforwarded",
      ["X-Forwarded-For", "1.2.3.4\r\nX: y\t\u010a", "X-Forwarded-Proto", "a\nb", "X-Forwarded-Host", "\0"],
      ["X-Forwarded-For: 1.2.3.4??X: y ?, 10.0.0.1", "X-Forwarded-Proto: a?b", "X-Forwarded-Host: ?"],
    ],
    [
      "forwarded appends",
      "forwarded",
      [
        "Forwarded",
        'for="[2001:db8::1]:80";ext="a,b"',
        "Forwarded",
        "for=1.2.3.4 ,, for=10.1.1.1",
        "X-Forwarded-For",
        "1.2.3.4",
      ],
      [
        "X-Forwarded-For: 1.2.3.4",
        'Forwarded: for="[2001:db8::1]:80";ext="a,b", for=1.2.3.4, for=10.1.1.1, for=10.0.0.1;host=own.example;proto=http',
      ],
    ],
    [
      "forwarded leaves out what stands before an open quote",
      "forwarded",
      ["Forwarded", 'for=6.6.6.6, for="x, for=1.2.3.4'],
      ["Forwarded: for=1.2.3.4, for=10.0.0.1;host=own.example;proto=http"],
    ],
    [
      "forwarded leaves out what is no element",
      "forwarded",
      ["Forwarded", "for=6.6.6.6, \r\nX: y, for=1.2.3.4"],
      ["Forwarded: for=1.2.3.4, for=10.0.0.1;host=own.example;proto=http"],
    ],
    [
      "none passes all on",
      "none",
      ["X-Forwarded-For", "1.2.3.4", "Forwarded", "x"],
      ["X-Forwarded-For: 1.2.3.4", "Forwarded: x"],
    ],
    ["none drops look-alikes", "none", ["X_Forwarded_For", "6.6.6.6", "X-Real_IP", "6.6.6.6"], []],
    [
      "auto is xforwarded where several are in use",
      "auto",
      ["X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https"],
      ["X-Forwarded-For: 1.2.3.4, 10.0.0.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: own.example"],
    ],
    [
      "auto is xforwarded with X-Forwarded-By",
      "auto",
      ["X-Forwarded-For", "1.2.3.4", "X-Forwarded-By", "p"],
      [
        "X-Forwarded-By: p",
        "X-Forwarded-For: 1.2.3.4, 10.0.0.1",
        "X-Forwarded-Proto: http",
        "X-Forwarded-Host: own.example",
      ],
    ],
    [
      "auto converts X-Forwarded-For alone",
      "auto",
      ["X-Forwarded-For", "2001:db8::1, 1.2.3.4:80,x", "X-Forwarded-For", "[::1]:90"],
      [
        'Forwarded: for="[2001:db8::1]", for="1.2.3.4:80", for=unknown, for="[::1]:90", for=10.0.0.1;host=own.example;proto=http',
      ],
    ],
    [
      "auto converts after what Forwarded says",
      "auto",
      ["X-Forwarded-For", "1.2.3.4", "Forwarded", "for=6.6.6.6"],
      ["Forwarded: for=6.6.6.6, for=1.2.3.4, for=10.0.0.1;host=own.example;proto=http"],
    ],
    [
      "auto is forwarded without X-Forwarded-For",
      "auto",
      ["X-Forwarded-Proto", "https", "X-Forwarded-For", ""],
      [
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: ",
        "Forwarded: for=10.0.0.1;host=own.example;proto=http",
      ],
    ],
  ])("%s", (_, strategy, headers, lines) => {
    expect(added(strategy, proxy, headers)).toEqual(lines);
  });

  it("appends the name of the proxy to those before", () => {
    const headers = ["X-Forwarded-By", "p", "X-Forwarded-By", "q"];
    expect(added("xforwarded", proxy, headers, "edge").at(-1)).toBe("X-Forwarded-By: p, q, edge");
  });

  it("drops look-alikes with every strategy", () => {
    for (const strategy of strategies) {
      expect(added(strategy, proxy, ["x_forwarded_proto", "6.6.6.6"]).join()).not.toContain("6.6.6.6");
    }
  });

  it("calls a unix socket unknown", () => {
    expect(added("forwarded", "unix", ["Forwarded", "for=1.2.3.4"])).toEqual([
      "Forwarded: for=1.2.3.4, for=unknown;host=own.example;proto=http",
    ]);
    expect(added("xforwarded", "unix", ["X-Forwarded-For", "1.2.3.4"])[0]).toBe(
      "X-Forwarded-For: 1.2.3.4, unknown",
    );
  });

  it("passes on a hundred elements at most", () => {
    const converted = added("auto", proxy, ["X-Forwarded-For", "9.9.9.9,".repeat(500)]).join();
    const kept = added("forwarded", proxy, ["Forwarded", "for=9.9.9.9,".repeat(500)]).join();
    expect([converted, kept].map((text) => text.split(",").length)).toEqual([101, 100]);
  });
});

describe("whatever is sent", () => {
  const anyText = fc.string({ unit: fc.nat(0x2ff).map((code) => String.fromCharCode(code)) });
  const pieces = fc.array(
    fc.constantFrom("for=", "6.6.6.6", '"', ",", ";", "\\", "[::1]", "\r\n", "X: y", " ", "\t"),
  );
  const value = fc.oneof(
    anyText,
    pieces.map((parts) => parts.join("")),
  );
  const name = fc.constantFrom(...spoofs.filter((_, index) => index % 2 === 0), "forwarded", "Cookie");
  const headers = fc.array(fc.tuple(name, value), { maxLength: 6 }).map((pairs) => pairs.flat());
  const hosts = fc.record({ scheme: fc.constantFrom("http" as const, "https" as const), host: value });

  it("an untrusted client chooses no address, and changes nothing that is told of it", () => {
    fc.assert(
      fc.property(fc.constantFrom(...strategies), headers, (strategy, rawHeaders) => {
        const honest = added(strategy, "1.2.3.4", []);
        const lines = added(strategy, "1.2.3.4", rawHeaders).filter((line) => !line.startsWith("Cookie: "));
        expect(lines).toEqual(honest);
        if (strategy !== "none")
          expect(lines[0]).toMatch(/^(?:X-Forwarded-For: |Forwarded: for=)1\.2\.3\.4(?:;|$)/);
      }),
    );
  });

  it("what is added are lines of printable ASCII, each named once", () => {
    const clients = fc.record({
      ip: value,
      scheme: value,
      host: value,
      trusted: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...strategies),
        headers,
        clients,
        value,
        hosts,
        value,
        (strategy, rawHeaders, client: ClientAddress, peer, at, by) => {
          const { added, dropped } = createForwarding(strategy, { by }).apply(rawHeaders, client, peer, at);
          expect(added).toMatch(/^(?:[A-Z][A-Za-z-]*: [ -~]*\r\n)*$/);
          const names = [...added.matchAll(/^([\w-]+): /gm)].map(([, written = ""]) => written.toLowerCase());
          expect(new Set(names).size).toBe(names.length);
          for (const written of names) expect(dropped.has(written)).toBe(true);
        },
      ),
    );
  });

  it("the element this proxy adds stands whole at the end, for a reader from either side", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("auto" as const, "forwarded" as const),
        value,
        hosts,
        (strategy, sent, at) => {
          const [line = ""] = added(strategy, proxy, ["Forwarded", sent], "edge", at);
          const elements = splitForwards(line.slice("Forwarded: ".length));
          expect(elements.map(parseForwardedElement)).not.toContain(undefined);
          expect(parseForwardedElement(elements.at(-1) ?? "")).toMatchObject({
            for: proxy,
            by: "_edge",
            proto: at.scheme,
          });
        },
      ),
    );
  });

  /** Commas outside of quotes, found from the left, as most backends do it. */
  function splitForwards(line: string): string[] {
    return line.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? [];
  }
});
