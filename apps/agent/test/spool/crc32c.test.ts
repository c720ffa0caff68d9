import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/spool/crc32c.ts";

const of = (bytes: Uint8Array): number => crc32c(bytes, 0, bytes.length);

describe("CRC-32C", () => {
  it("gives the values of RFC 3720, appendix B.4, and of the usual check", () => {
    expect(of(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(of(Buffer.alloc(32, 0))).toBe(0x8a9136aa);
    expect(of(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43);
    expect(of(Buffer.from(Array.from({ length: 32 }, (_, at) => at)))).toBe(0x46dd794e);
    expect(of(Buffer.alloc(0))).toBe(0);
  });

  it("can be taken in parts, at any place of the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(20), (bytes, cut, before) => {
        const middle = Math.min(cut, bytes.length);
        const shifted = Buffer.concat([Buffer.alloc(before), bytes]);
        const head = crc32c(shifted, before, before + middle);
        expect(crc32c(shifted, before + middle, shifted.length, head)).toBe(of(bytes));
      }),
    );
  });
});
