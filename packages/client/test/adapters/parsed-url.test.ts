import type { RedirectItem } from "@posthouse/protocol";
import { compileRules } from "@posthouse/rules";
import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { createFetchHandler, type ReceivedRequest } from "../../src/adapters/fetch.ts";
import { createHonoMiddleware } from "../../src/adapters/hono.ts";

/** One rule that tells what it was compared with. */
const echo: RedirectItem = {
  id: 1,
  kind: "redirect",
  type: "REGEX_HOST",
  source: "^([^/]*)(/.*)$",
  target: "/seen?host=$1&uri=$2",
  status: "FOUND",
};
const source = { ruleSet: compileRules([echo]) };
const find = createFetchHandler(source);

function seen(url: string, headers: Record<string, string> = {}, received?: ReceivedRequest): string {
  const location = find(new Request(url, { headers }), received)?.headers.get("location") ?? "";
  const [, host, uri] = /^\/seen\?host=(.*?)&uri=(.*)$/.exec(location) ?? [];
  return `${host} ${uri}`;
}

describe("a fetch-style server that knows the parsed URL only", () => {
  it.each([
    ["keeps path and query", "http://h/a//b/%7Ec?x=%20&y", "h /a//b/%7Ec?x=%20&y"],
    ["keeps two slashes at the start", "http://h//a", "h //a"],
    ["keeps a question mark alone", "http://h/a?", "h /a?"],
    ["has a path where there is none", "http://h", "h /"],
    ["has no dot segments", "http://h/a/../b/./c", "h /b/c"],
    ["has no backslashes", "http://h/a\\b", "h /a/b"],
    ["has nothing from # on", "http://h/a#b", "h /a"],
    ["has quotes encoded", "http://h/%c3%a9\"?'", "h /%c3%a9%22?%27"],
    ["has what is no ASCII encoded", "http://h/\u00e9?\u00e9", "h /%C3%A9?%C3%A9"],
    [
      "has small letters in the host, and no port of the scheme",
      "https://EXAMPLE.com:443/a",
      "example.com /a",
    ],
  ])("%s", (_what, url, expected) => {
    expect(seen(url)).toBe(expected);
  });

  it.each([
    ["as sent when it means the same", "http://example.com/", "EXAMPLE.com:80", "EXAMPLE.com:80"],
    ["as the URL has it when that is another", "http://other.example/", "example.com", "other.example"],
    ["as the URL has it when the header is none", "http://example.com/", "exa mple", "example.com"],
    ["with its port", "http://example.com:8080/", "Example.com:8080", "Example.com:8080"],
  ])("takes the host %s", (_how, url, host, expected) => {
    expect(seen(url, { host })).toBe(`${expected} /`);
  });

  it("takes target and host as they were received, when it is told", () => {
    const received = { target: "/a/../b|", host: "EXAMPLE.com:80" };
    expect(seen("http://example.com/b", {}, received)).toBe("EXAMPLE.com:80 /a/../b%7C");
    expect(seen("http://example.com/b", {}, { target: "/c" })).toBe("example.com /c");
    expect(seen("http://h/", { host: "h" }, { target: "http://Absolute/x", host: "h" })).toBe("Absolute /x");
  });
});

describe("Hono where there is no node:http below", () => {
  const app = new Hono().use(createHonoMiddleware(source)).all("*", (context) => context.text("site"));

  it.each([[undefined], [{}], [{ incoming: "a binding of that name" }], [{ incoming: { url: "/x" } }]])(
    "takes the parsed URL, with the environment %j",
    async (env) => {
      const answer = await app.request("http://h/a/../b", {}, env);
      expect(answer.headers.get("location")).toBe("/seen?host=h&uri=/b");
    },
  );
});
