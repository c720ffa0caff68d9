import { describe, expect, it } from "vitest";
import { memoise } from "../src/core/memo.ts";

describe("memoise", () => {
  const counting = (size: number): { ask: (text: string) => string; asked: string[] } => {
    const asked: string[] = [];
    const ask = memoise(size, (text) => {
      asked.push(text);
      return text.toUpperCase();
    });
    return { ask, asked };
  };

  it("computes a result once", () => {
    const { ask, asked } = counting(2);
    expect([ask("a"), ask("b"), ask("a"), ask("b")]).toEqual(["A", "B", "A", "B"]);
    expect(asked).toEqual(["a", "b"]);
  });

  it("forgets when it is full", () => {
    const { ask, asked } = counting(2);
    for (const text of ["a", "b", "c", "c", "a"]) ask(text);
    expect(asked).toEqual(["a", "b", "c", "a"]);
  });

  it("does not remember a long text", () => {
    const { ask, asked } = counting(2);
    for (const length of [256, 256, 257, 257]) expect(ask("x".repeat(length))).toBe("X".repeat(length));
    expect(asked.map(({ length }) => length)).toEqual([256, 257, 257]);
  });
});
