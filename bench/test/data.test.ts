import { checkRedirect } from "@posthouse/rules";
import { describe, expect, it } from "vitest";
import { createRandom, generateRedirects, shuffle } from "../data.ts";

describe("generated redirects", () => {
  const redirects = generateRedirects(10_000, 3);

  it("are the same for the same seed and others for another", () => {
    expect(generateRedirects(10_000, 3)).toEqual(redirects);
    expect(generateRedirects(10, 4)).not.toEqual(redirects.slice(0, 10));
  });

  it("have the shape of the real ones", () => {
    const hosts = new Set(redirects.map(({ source }) => source.slice(0, source.indexOf("/"))));
    const queries = redirects.filter(({ source }) => source.includes("?")).length;
    const length = redirects.reduce((sum, { source, target }) => sum + source.length + target.length, 0);
    expect(hosts.size).toBe(217);
    expect(queries / redirects.length).toBeCloseTo(1 / 3, 1);
    expect(length / redirects.length).toBeGreaterThan(110);
    expect(length / redirects.length).toBeLessThan(160);
    expect(new Set(redirects.map(({ source }) => source)).size).toBe(10_000);
  });

  it("are good rules", () => {
    expect(redirects.slice(0, 500).flatMap(checkRedirect)).toEqual([]);
  });
});

describe("shuffle", () => {
  it("keeps every value and leaves the original alone", () => {
    const values = Array.from({ length: 100 }, (_, index) => index);
    const shuffled = shuffle(values, createRandom(1));
    expect(shuffled).not.toEqual(values);
    expect(shuffled.toSorted((a, b) => a - b)).toEqual(values);
  });
});
