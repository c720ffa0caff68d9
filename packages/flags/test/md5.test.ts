import { md5 } from "@noble/hashes/legacy.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rolloutOf } from "../src/index.ts";
import { md5Start } from "../src/md5.ts";

const asLibrary = (text: string): number => {
  const bytes = md5(new TextEncoder().encode(text));
  return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0, true);
};

describe("the start of MD5", () => {
  it("is the library's for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
        expect(md5Start(text)).toBe(asLibrary(text));
      }),
    );
  });

  it("is the library's at every length around the ends of blocks, with a lone surrogate too", () => {
    for (let length = 0; length < 200; length++) {
      const text = "k".repeat(length);
      expect(md5Start(text)).toBe(asLibrary(text));
      expect(md5Start(`${text}\ud800`)).toBe(asLibrary(`${text}\ud800`));
    }
    const long = "é".repeat(100_000);
    expect(md5Start(long)).toBe(asLibrary(long));
  });

  it("places a key from 0 to 1", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (key) => {
        expect(rolloutOf(key)).toBeGreaterThanOrEqual(0);
        expect(rolloutOf(key)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("spreads keys evenly", () => {
    const counts = new Array<number>(10).fill(0);
    const keys = 20_000;
    for (let index = 0; index < keys; index++) {
      const tenth = Math.min(9, Math.floor(rolloutOf(`checkoutuser-${index}`) * 10));
      counts[tenth] = (counts[tenth] ?? 0) + 1;
    }
    // Six standard deviations of a tenth.
    for (const count of counts) expect(Math.abs(count - keys / 10)).toBeLessThan(6 * Math.sqrt(keys * 0.09));
  });
});
