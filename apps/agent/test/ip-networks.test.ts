import { isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalIp, formatIpNode, parseIpNode, unmappedIp } from "../src/http/ip-address.ts";
import { createNetworks, isNetwork } from "../src/http/ip-networks.ts";

const anyText = fc.string({ unit: fc.nat(0x2ff).map((code) => String.fromCharCode(code)) });

describe("a network", () => {
  it.each([
    "10.0.0.0/8",
    "10.1.2.3/8",
    "1.2.3.4",
    "0.0.0.0/0",
    "1.2.3.4/32",
    "::1",
    "::/0",
    "fd00::/8",
    "2001:db8::1/128",
    "::ffff:10.0.0.0/104",
    "unix",
  ])("is %s", (text) => {
    expect(isNetwork(text)).toBe(true);
    expect(createNetworks([text]).isEmpty).toBe(false);
  });

  it.each([
    "",
    "10",
    "10.0.0",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/-1",
    "10.0.0.0/8 ",
    " 10.0.0.0/8",
    "10.0.0.0/8/8",
    "010.0.0.1",
    "0x7f.1",
    "2130706433",
    "::1/129",
    "[::1]",
    "fe80::1%eth0",
    "::g",
    "localhost",
    "unix:/run/x",
    "*",
  ])("is not %j", (text) => {
    expect(isNetwork(text)).toBe(false);
    expect(() => createNetworks(["::1", text])).toThrow(TypeError);
  });

  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["172.16.0.0/12", "172.31.255.255", true],
    ["172.16.0.0/12", "172.32.0.0", false],
    ["1.2.3.4", "1.2.3.4", true],
    ["1.2.3.4", "1.2.3.5", false],
    ["0.0.0.0/0", "8.8.8.8", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "8.8.8.8", false],
    ["fd00::/8", "fdab::1", true],
    ["fd00::/8", "fe80::1", false],
    ["::1", "::1", true],
    ["::1", "::2", false],
    ["::ffff:10.0.0.0/104", "10.1.1.1", true],
    ["::ffff:10.0.0.1", "10.0.0.1", true],
    ["::ffff:10.0.0.1", "10.0.0.2", false],
    ["unix", "unix", true],
    ["unix", "1.2.3.4", false],
    ["0.0.0.0/0", "unix", false],
    ["unix", "", false],
    ["0.0.0.0/0", "host", false],
  ])("%s: %s %s", (network, ip, held) => {
    expect(createNetworks([network]).has(ip)).toBe(held);
    expect(createNetworks(["192.0.2.0/24", network, "2001:db8::/32"]).has(ip)).toBe(held);
  });

  it("holds what its first bits say", () => {
    const byte = fc.nat(255);
    const quad = fc.tuple(byte, byte, byte, byte);
    const number = (bytes: number[]): number => bytes.reduce((sum, part) => sum * 256 + part, 0);
    fc.assert(
      fc.property(quad, quad, fc.nat(32), fc.boolean(), (network, other, bits, near) => {
        const ip = near ? [...network.slice(0, 3), other[3]] : other;
        const size = 2 ** (32 - bits);
        const held = Math.floor(number(network) / size) === Math.floor(number(ip) / size);
        expect(createNetworks([`${network.join(".")}/${bits}`]).has(ip.join("."))).toBe(held);
      }),
    );
  });
});

describe("an address", () => {
  it.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::FFFF:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
    ["0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:1.2.3.4%eth0", "1.2.3.4"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["::", "::"],
  ])("%s is written %s", (text, written) => {
    expect(canonicalIp(text)).toBe(written);
  });

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.256",
    "0x1.2.3.4",
    "1",
    "[::1]",
    "::1::",
    "x",
    "1.2.3.4 ",
  ])("%j is none", (text) => {
    expect(canonicalIp(text)).toBeUndefined();
    expect(parseIpNode(text === "[::1]" ? "" : text)).toBeUndefined();
  });

  it("of a socket loses its zone and its mapping", () => {
    expect(
      ["1.2.3.4", "::1", "::ffff:1.2.3.4", "fe80::1%eth0", "::ffff:1.2.3.4%1", ""].map(unmappedIp),
    ).toEqual(["1.2.3.4", "::1", "1.2.3.4", "fe80::1", "1.2.3.4", ""]);
  });

  it("has one form for every way to write it", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4()), (text) => {
        const ip = canonicalIp(text) ?? "none";
        expect(canonicalIp(ip)).toBe(ip);
        expect(canonicalIp(text.toUpperCase())).toBe(ip);
        if (isIPv6(ip)) expect(new URL(`http://[${text}]/`).hostname).toBe(`[${ip}]`);
      }),
    );
  });

  it("is found or refused in any text", () => {
    const unit = fc.constantFrom(..."0123456789abcdef:.[]%_-x, ");
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit }), anyText), (text) => {
        const ip = canonicalIp(text);
        expect(ip === undefined || canonicalIp(ip) === ip).toBe(true);
        const node = parseIpNode(text);
        expect(node === undefined || canonicalIp(node.ip) === node.ip).toBe(true);
      }),
    );
  });
});

describe("an address with a port", () => {
  it.each([
    ["1.2.3.4:80", { ip: "1.2.3.4", port: 80 }],
    ["1.2.3.4:0", { ip: "1.2.3.4", port: 0 }],
    ["1.2.3.4:_hidden", { ip: "1.2.3.4" }],
    ["[2001:db8::1]:4711", { ip: "2001:db8::1", port: 4711 }],
    ["[2001:db8::1]", { ip: "2001:db8::1" }],
    ["2001:db8::1", { ip: "2001:db8::1" }],
    ["[::ffff:1.2.3.4]:80", { ip: "1.2.3.4", port: 80 }],
  ])("%s", (text, node) => {
    expect(parseIpNode(text)).toEqual(node);
  });

  it.each([
    "1.2.3.4:",
    "1.2.3.4:65536",
    "1.2.3.4:-1",
    "1.2.3.4:8 0",
    "1.2.3.4:_",
    "[1.2.3.4]",
    "[::1",
    "::1]",
    "[::1]:99999",
    "[::1]80",
    "[]",
    "_hidden",
    "unknown",
    "unknown:80",
    "unix",
  ])("%s is none", (text) => {
    expect(parseIpNode(text)).toBeUndefined();
  });

  it("is read as it was written", () => {
    const port = fc.option(fc.nat(65_535), { nil: undefined });
    fc.assert(
      fc.property(fc.oneof(fc.ipV6(), fc.ipV4()), port, (text, number) => {
        const ip = canonicalIp(text) ?? "none";
        const node = number === undefined ? { ip } : { ip, port: number };
        expect(parseIpNode(formatIpNode(node))).toEqual(node);
      }),
    );
  });
});
