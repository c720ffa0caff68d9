import type { PageItem } from "@posthouse/protocol";
import { compileRules, formatAnswer, type Match } from "@posthouse/rules";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const page = (content: string, contentType: PageItem["contentType"] = "TEXT_PLAIN"): Match => {
  const item: PageItem = { id: 1, kind: "page", type: "BASIC", path: "/p", content, contentType };
  const match = compileRules([item]).match("a", "/p");
  if (match === undefined) throw new Error("the page does not answer");
  return match;
};
const request = { method: "GET", host: "a", uri: "/p" };
const tagOf = (match: Match): string =>
  Object.fromEntries(formatAnswer(match, request).headers).ETag ?? "none";

describe("a page's entity tag", () => {
  it("is strong, and the same for the same page only", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(text, text, (one, other) => {
        expect(tagOf(page(one))).toMatch(/^"[0-9a-f]{32}"$/);
        expect(tagOf(page(one)) === tagOf(page(other))).toBe(one === other);
      }),
    );
    expect(tagOf(page("<a/>", "XML"))).not.toBe(tagOf(page("<a/>")));
    expect(tagOf(page("<a/>", "XML"))).toBe(tagOf(page("<a/>", "XML")));
  });

  it("stays right when more pages were asked for than tags are kept", () => {
    const first = tagOf(page("0"));
    for (let index = 0; index < 1500; index++) tagOf(page(String(index)));
    expect(tagOf(page("0"))).toBe(first);
  });

  const match = page("hello");
  const tag = tagOf(match);
  it.each([
    ["GET", tag, 304],
    ["HEAD", tag, 304],
    ["GET", `"a", W/${tag} ,"b"`, 304],
    ["GET", " * ", 304],
    ["GET", '"other"', 200],
    ["GET", tag.slice(1, -1), 200],
    ["GET", "", 200],
    ["POST", tag, 200],
  ])("%s with If-None-Match: %s is answered with %i", (method, ifNoneMatch, status) => {
    const answer = formatAnswer(match, { ...request, method, ifNoneMatch });
    expect(answer.status).toBe(status);
    expect(Object.fromEntries(answer.headers).ETag).toBe(tag);
    if (status === 304) expect(answer).toEqual({ status, headers: [["ETag", tag]], body: "" });
  });

  it("is not given where Flecto gives none", () => {
    const answer = formatAnswer(match, { ...request, ifNoneMatch: tag }, { compat: "flecto" });
    expect([answer.status, answer.headers, answer.body]).toEqual([
      200,
      [["Content-Type", "text/plain"]],
      "hello",
    ]);
  });
});
