import { describe, expect, it } from "vitest";
import { compilePattern } from "../src/pattern/compiled-pattern.ts";

const fast = [
  "^/old/([a-z0-9-]+)$",
  "/product/([0-9]+)",
  "^/(.*)\\.html$",
  "^/(\\d{4})/(\\d{2})/(.+)$",
  "^/(.*)/([^/]*)$",
  "^/old(\\?.*)?$",
];
const careful = [
  "(a+)+$",
  "^(a|a)*$",
  "^/(.*)a(.*)b$",
  "[a-z]+x",
  "^(a?){20}a{20}$",
  "^/a*a*a*b$",
  "(?m)^/x",
  "\\pL+x",
  "^(a|b)*$",
];

describe("the proof for V8", () => {
  it.each(fast)("holds for %s", (source) => expect(compilePattern(source).engine).toBe("javascript"));
  it.each(careful)("does not hold for %s", (source) => expect(compilePattern(source).engine).toBe("re2"));

  it.each([...fast, ...careful])("keeps %s quick on long repetitive text", (source) => {
    const pattern = compilePattern(source);
    const started = performance.now();
    for (const unit of ["a", "/", "a/", "/product/1", "0", "?", ".html"]) {
      pattern.exec(`/${unit.repeat(Math.floor(2048 / unit.length))}\u0000`);
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
