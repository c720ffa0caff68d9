import { describe, expect, it } from "vitest";
import { isHost } from "../src/http/host.ts";
import { createHostTable } from "../src/http/sites.ts";

const table = createHostTable([
  { match: ["shop.example.com", "[::1]"], value: "exact" },
  { match: ["*.example.com"], value: "wide" },
  { match: ["*.shop.example.com"], value: "narrow" },
  { match: ["*"], value: "rest" },
]);

describe("sites by host", () => {
  it.each([
    ["shop.example.com", "exact"],
    ["SHOP.Example.com", "exact"],
    ["shop.example.com:8443", "exact"],
    ["shop.example.com.", "exact"],
    ["shop.example.com.:80", "exact"],
    ["[::1]:8000", "exact"],
    ["a.shop.example.com", "narrow"],
    ["a.b.shop.example.com", "narrow"],
    ["b.example.com", "wide"],
    ["example.com", "rest"],
    ["notexample.com", "rest"],
    ["127.0.0.1", "rest"],
    ["", "rest"],
  ])("%s -> %s", (host, value) => expect(table.find(host)).toBe(value));

  it("takes an entry without hosts for all others", () => {
    const others = createHostTable([
      { match: [], value: "rest" },
      { match: ["a.example"], value: "a" },
    ]);
    expect([others.find("a.example"), others.find("b.example")]).toEqual(["a", "rest"]);
  });

  it("finds nothing without a default", () => {
    const strict = createHostTable([{ match: ["a.example"], value: 1 }]);
    expect([strict.find("b.example"), strict.find("b.example"), strict.find("a.example")]).toEqual([
      undefined,
      undefined,
      1,
    ]);
  });

  it("stays right after more spellings than it remembers", () => {
    for (let i = 0; i < 3000; i++) expect(table.find(`h${i}.shop.example.com`)).toBe("narrow");
    expect(table.find("h2999.shop.example.com")).toBe("narrow");
  });
});

describe("sites by host, as Flecto chooses", () => {
  const flecto = createHostTable(
    [
      { match: ["a.example", "A.example", "*.b.example", "*", "[", "c.example:80"], value: "first" },
      { match: [], value: "others" },
      { match: ["a.example", ""], value: "later" },
    ],
    { compat: "flecto" },
  );
  it.each([
    ["a.example", "later"],
    ["a.example:8443", "later"],
    ["a.example:x:y", "later"],
    ["A.example", "first"],
    ["a.EXAMPLE", "others"],
    ["a.example.", "others"],
    ["x.b.example", "others"],
    ["*.b.example", "first"],
    ["*", "first"],
    ["c.example:80", "others"],
    ["c.example", "others"],
    ["[::1]:80", "first"],
    ["[2001::1]", "others"],
    ["", "later"],
  ])("%j -> %s", (host, value) => expect(flecto.find(host)).toBe(value));
});

describe("host syntax", () => {
  it.each([
    "a",
    "a.example:80",
    "a.example:",
    "[::1]",
    "[2001:db8::1]:443",
    "my_host",
    "127.0.0.1",
    "xn--bcher-kva.example",
  ])("takes %s", (host) => expect(isHost(host)).toBe(true));
  it.each([
    "",
    ":80",
    "a b",
    "a/b",
    "a@b",
    "a?b",
    "a#b",
    "[::1",
    "a:b",
    "a:123456",
    "a\\b",
    "<a>",
    "é",
    "a\u0000",
    "http://a",
  ])("refuses %j", (host) => expect(isHost(host)).toBe(false));
});
