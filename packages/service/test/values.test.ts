import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  durationSchema,
  formatListen,
  listenOrPathSchema,
  listenSchema,
  Secret,
  secretSchema,
  sizeSchema,
  suggest,
} from "../src/index.ts";

describe("durations", () => {
  it.each([
    ["0s", 0],
    ["500ms", 500],
    ["5m", 300_000],
    ["1m30s", 90_000],
    ["1.5h", 5_400_000],
    ["1h2m3s4ms", 3_723_004],
  ])("reads %s", (text, ms) => expect(durationSchema.parse(text)).toBe(ms));

  it.each(["", "5", "m", "5 m", "-1s", "1d", "1s2", "1..5s", "5M", 300, null, "9999h"])(
    "refuses %j",
    (value) => expect(durationSchema.safeParse(value).success).toBe(false),
  );
});

describe("sizes", () => {
  it.each([
    ["0B", 0],
    ["64KiB", 65_536],
    ["1MiB", 1_048_576],
    ["2GB", 2e9],
    ["1.5KiB", 1536],
  ])("reads %s", (text, bytes) => expect(sizeSchema.parse(text)).toBe(bytes));

  it.each(["", "1", "1M", "MiB", "-1B", "1 MiB", 5])("refuses %j", (value) =>
    expect(sizeSchema.safeParse(value).success).toBe(false),
  );
});

describe("listen addresses", () => {
  it.each([
    ["127.0.0.1:8000", { host: "127.0.0.1", port: 8000 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    [":8000", { host: "", port: 8000 }],
    ["localhost:0", { host: "localhost", port: 0 }],
  ])("reads %s and writes it again", (text, address) => {
    expect(listenSchema.parse(text)).toEqual(address);
    expect(formatListen(address)).toBe(text);
  });

  it.each([
    ["unix:/run/x.sock", { host: "", port: 0, path: "/run/x.sock" }],
    ["[::]:0", { host: "::", port: 0 }],
  ])("reads %s, where a unix socket may stand, and writes it again", (text, address) => {
    expect(listenOrPathSchema.parse(text)).toEqual(address);
    expect(formatListen(address)).toBe(text);
  });

  it.each(["unix:", "unix:x.sock", `unix:/${"x".repeat(107)}`, "unix:/a\0b", "host"])(
    "refuses %j where a unix socket may stand",
    (value) => expect(listenOrPathSchema.safeParse(value).success).toBe(false),
  );

  it.each([
    "",
    "8000",
    "::1:80",
    "unix:/run/x.sock",
    "host:",
    "host:65536",
    "host:-1",
    "http://h:80",
    "[::1]",
    8000,
  ])("refuses %j", (value) => expect(listenSchema.safeParse(value).success).toBe(false));
});

describe("secrets", () => {
  it("show nothing unless asked", () => {
    const secret = new Secret("hunter2");
    const shown = [
      String(secret),
      `${secret}`,
      JSON.stringify({ secret }),
      inspect({ secret }),
      inspect(secret),
    ];
    expect(shown.filter((text) => text.includes("hunter2"))).toEqual([]);
    expect(shown.every((text) => text.includes("[hidden]"))).toBe(true);
    expect(secret.reveal()).toBe("hunter2");
  });

  it("are made from texts that are not empty", () => {
    expect(secretSchema.parse("a").reveal()).toBe("a");
    expect(secretSchema.safeParse("").success).toBe(false);
    expect(secretSchema.safeParse(12_345).error?.issues[0]?.message).toContain("quotes");
  });

  it("are never what stands for them where settings are shown", () => {
    for (const shown of ["[hidden]", "amqp://guest:[hidden]@rabbit//", "redis://:%5Bhidden%5D@r/0"])
      expect(secretSchema.safeParse(shown).error?.issues[0]?.message).toContain("give the secret itself");
  });
});

describe("suggestions", () => {
  it("find the neighbour and keep silent about strangers", () => {
    expect(suggest("projct", ["listen", "project"])).toBe("project");
    expect(suggest("Listen", ["listen", "project"])).toBe("listen");
    expect(suggest("hsots", ["hosts"])).toBe("hosts");
    expect(suggest("zebra", ["listen", "project"])).toBeUndefined();
  });

  it("find a long word with any one letter lost", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 3, maxLength: 20 }), fc.nat(), (word, at) => {
        const index = at % word.length;
        return suggest(word.slice(0, index) + word.slice(index + 1), [word]) === word;
      }),
    );
  });
});
