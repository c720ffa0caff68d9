import { isIPv4 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/http/crc32c.ts";
import { canonicalIp } from "../../src/http/ip-address.ts";
import { maxProxyHeaderBytes, parseProxyHeader } from "../../src/http/proxy-protocol.ts";

const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");

function binary(command: number, family: number, body: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([signature, Buffer.from([command, family]), length, body]);
}

function addressBytes(ip: string): Buffer {
  if (isIPv4(ip)) return Buffer.from(ip.split(".").map(Number));
  return Buffer.from(
    ip.split(":").flatMap((word) => [Number.parseInt(word, 16) >> 8, Number.parseInt(word, 16) & 255]),
  );
}

function binaryFor(from: string, to: string, extensions: Buffer): Buffer {
  const ports = Buffer.from([1, 2, 3, 4]);
  return binary(
    0x21,
    isIPv4(from) ? 0x11 : 0x21,
    Buffer.concat([addressBytes(from), addressBytes(to), ports, extensions]),
  );
}

const checksumType = 3;

/** The header with a checksum in its last extension. */
function withChecksum(from: string, to: string, extensions: Buffer): Buffer {
  const empty = Buffer.from([checksumType, 0, 4, 0, 0, 0, 0]);
  const whole = binaryFor(from, to, Buffer.concat([extensions, empty]));
  whole.writeUInt32BE(crc32c(whole), whole.length - 4);
  return whole;
}

const v4 = fc.ipV4();
const v6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((words) => words.map((word) => word.toString(16)).join(":"));
const pair = fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6));
const port = fc.integer({ min: 0, max: 65_535 });
const extension = fc
  .tuple(
    fc.integer({ min: 0, max: 255 }).filter((type) => type !== checksumType),
    fc.uint8Array({ maxLength: 40 }),
  )
  .map(([type, value]) => Buffer.from([type, 0, value.length, ...value]));
const extensions = fc.array(extension, { maxLength: 5 }).map((list) => Buffer.concat(list));
const text = fc.tuple(pair, port, port).map(([[from, to], a, b]) => ({
  bytes: Buffer.from(`PROXY ${isIPv4(from) ? "TCP4" : "TCP6"} ${from} ${to} ${a} ${b}\r\n`),
  source: canonicalIp(from),
}));
const packed = fc
  .tuple(pair, extensions)
  .map(([[from, to], more]) => ({ bytes: binaryFor(from, to, more), source: canonicalIp(from) }));
const header = fc.oneof(text, packed);

describe("PROXY headers", () => {
  it("are read whole, whatever follows", () => {
    fc.assert(
      fc.property(header, fc.uint8Array(), ({ bytes, source }, rest) => {
        const parsed = parseProxyHeader(Buffer.concat([bytes, rest]));
        expect(parsed).toEqual({ bytes: bytes.length, source });
      }),
    );
  });

  it("are waited for at every byte, and never taken early", () => {
    fc.assert(
      fc.property(header, fc.nat(), ({ bytes }, cut) => {
        expect(parseProxyHeader(bytes.subarray(0, cut % bytes.length))).toBe("more");
      }),
    );
  });

  it("are bounded: nothing is waited for beyond the longest", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("PROXY ", "PROXY TCP4 1", signature.toString("latin1")),
        fc.uint8Array({ minLength: maxProxyHeaderBytes, maxLength: maxProxyHeaderBytes + 100 }),
        (start, rest) => {
          expect(parseProxyHeader(Buffer.concat([Buffer.from(start, "latin1"), rest]))).not.toBe("more");
        },
      ),
    );
  });

  it("with a checksum are refused when a byte of an address or of the checksum is another one", () => {
    fc.assert(
      fc.property(
        pair,
        extensions,
        fc.nat(11),
        fc.integer({ min: 1, max: 255 }),
        ([from, to], more, at, by) => {
          const bytes = withChecksum(from, to, more);
          expect(parseProxyHeader(bytes)).toEqual({ bytes: bytes.length, source: canonicalIp(from) });
          const place = at < 8 ? 16 + at : bytes.length + at - 12;
          bytes[place] = (bytes[place] ?? 0) ^ by;
          expect(parseProxyHeader(bytes)).toBe("bad");
        },
      ),
    );
  });

  it("have the checksum that others compute", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa);
  });

  it("announce an address or nothing, whatever the bytes", () => {
    const mutated = fc
      .tuple(header, fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([{ bytes }, at, value]) => {
        const copy = Buffer.from(bytes);
        copy[at % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array().map(Buffer.from), mutated), (bytes) => {
        const parsed = parseProxyHeader(bytes);
        if (typeof parsed === "string") return;
        expect(parsed.bytes).toBeLessThanOrEqual(bytes.length);
        if (parsed.source !== undefined) expect(canonicalIp(parsed.source)).toBe(parsed.source);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, Buffer, string | undefined]>([
    ["UNKNOWN", Buffer.from("PROXY UNKNOWN\r\n"), undefined],
    ["UNKNOWN with addresses", Buffer.from("PROXY UNKNOWN ::1 ::2 1 2\r\n"), undefined],
    ["LOCAL", binary(0x20, 0, Buffer.alloc(0)), undefined],
    ["LOCAL with addresses", binary(0x20, 0x11, Buffer.alloc(12, 1)), undefined],
    ["an unspecified family", binary(0x21, 0, Buffer.alloc(3)), undefined],
    ["a unix socket", binary(0x21, 0x31, Buffer.alloc(216)), undefined],
    ["a mapped address", Buffer.from("PROXY TCP6 ::ffff:1.2.3.4 ::1 1 2\r\n"), "1.2.3.4"],
    [
      "a mapped address, packed",
      binaryFor("0:0:0:0:0:ffff:102:304", "0:0:0:0:0:0:0:1", Buffer.alloc(0)),
      "1.2.3.4",
    ],
    ["a long way to write an address", Buffer.from("PROXY TCP6 2001:0DB8::0001 ::1 1 2\r\n"), "2001:db8::1"],
  ])("may say %s", (_, bytes, source) => {
    expect(parseProxyHeader(bytes)).toEqual({ bytes: bytes.length, source });
  });

  it.each<[string, Buffer | string]>([
    ["an HTTP request", "GET / HTTP/1.1\r\n"],
    ["a small letter", "pROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["two spaces", "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["another family", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"],
    ["the other family's addresses", "PROXY TCP4 ::1 ::1 1 2\r\n"],
    ["a family for each", "PROXY TCP6 ::1 1.2.3.4 1 2\r\n"],
    ["a leading zero", "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"],
    ["a leading zero in a port", "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"],
    ["a port too large", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n"],
    ["one port", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"],
    ["something behind", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"],
    ["a bare line feed", `PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n${"x".repeat(100)}`],
    ["a line too long", `PROXY UNKNOWN ${"x".repeat(93)}`],
    ["version 1 of the packed form", binary(0x11, 0x11, Buffer.alloc(12))],
    ["a third command", binary(0x22, 0x11, Buffer.alloc(12))],
    ["a family that does not exist", binary(0x21, 0x41, Buffer.alloc(12))],
    [
      "a checksum of three bytes",
      binary(0x21, 0x11, Buffer.concat([Buffer.alloc(12), Buffer.from([3, 0, 3, 0, 0, 0])])),
    ],
    [
      "a checksum that is cut",
      binary(0x21, 0x11, Buffer.concat([Buffer.alloc(12), Buffer.from([3, 0, 4, 0])])),
    ],
    ["datagrams", binary(0x21, 0x12, Buffer.alloc(12))],
    ["too few bytes of IPv4", binary(0x21, 0x11, Buffer.alloc(11))],
    ["too few bytes of IPv6", binary(0x21, 0x21, Buffer.alloc(35))],
    [
      "an extension that is cut",
      binary(0x21, 0x11, Buffer.concat([Buffer.alloc(12), Buffer.from([1, 0, 5, 0])])),
    ],
    ["too much", binary(0x21, 0x11, Buffer.alloc(5000))],
  ])("must not have %s", (_, bytes) => {
    expect(parseProxyHeader(Buffer.from(bytes as string, "latin1"))).toBe("bad");
  });
});
