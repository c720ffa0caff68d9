import { requestUri } from "@posthouse/rules";
import { describe, expect, it } from "vitest";

const bytes = (text: string): string => Buffer.from(text, "utf8").toString("latin1");

describe("the request URI", () => {
  it.each([
    ["/", "/"],
    ["/a/../b", "/a/../b"],
    ["//a/b", "//a/b"],
    ["/old?", "/old?"],
    ["/%7Eme", "/%7Eme"],
    ["/%c3%a9", "/%c3%a9"],
    ['/%c3%a9"', "/%C3%A9%22"],
    ["/a!'()*[]", "/a!'()*[]"],
    ["/a!|", "/a%21%7C"],
    ["/a#b", "/a%23b"],
    ["/café?q=é|", "/caf%C3%A9?q=é|"],
  ])("of %s is %s", (raw, uri) => {
    expect(requestUri(bytes(raw))).toEqual({ uri });
    expect(requestUri(raw, { text: true })).toEqual({ uri });
  });

  it("takes the host of an absolute-form target", () => {
    expect(requestUri("http://other.example:81/x?y")).toEqual({ host: "other.example:81", uri: "/x?y" });
    expect(requestUri("http://h?q")).toEqual({ host: "h", uri: "/?q" });
    expect(requestUri("http://h//x")).toEqual({ host: "h", uri: "//x" });
  });

  it.each(["", "*", "h:443", "a", "/a%zz", "/a\n", "http://h:x/", "http://[::1/"])("is none of %j", (raw) => {
    expect(requestUri(raw)).toBeUndefined();
  });

  it("keeps a byte that is no UTF-8", () => {
    expect(requestUri("/a\u00e9")).toEqual({ uri: "/a%E9" });
    expect(requestUri("/a?\u00e9")).toEqual({ uri: "/a?\udce9" });
  });
});
