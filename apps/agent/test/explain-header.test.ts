import { createLog, Secret } from "@posthouse/service";
import { type RawAnswer, sendRaw } from "@posthouse/testkit/raw-http";
import { describe, expect, it } from "vitest";
import type { Exchange } from "../src/http/exchange.ts";
import { createExplainHeader, type ExplainedRequest } from "../src/http/explain-header.ts";
import { basic, type Harness, startHarness } from "./harness.ts";

const rules = [
  basic("/old", "/new"),
  basic("/Caf\u00e9", "/x"),
  basic("/OLD", "/shouting"),
  { type: "REGEX" as const, source: "^/p/(.*)$", target: "/q/$1", status: "FOUND" as const },
];
const hosts = [{ match: ["a.example"], project: "shop" }];

const ask = (harness: Harness, path: string, token?: string, host = "a.example"): Promise<RawAnswer> =>
  sendRaw(harness.sitePort, [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    ...(token === undefined ? [] : [`posthouse-explain: ${token}`]),
  ]);

describe("an answer explained by a header", () => {
  it("says which rule answered and which nearly did, to the holder of the admin token", async () => {
    await using harness = await startHarness(rules, { adminToken: "s3cret", hosts });
    const answer = await ask(harness, "/old", "s3cret");
    expect([answer.status, answer.header("location")]).toEqual([302, "/new"]);
    expect(answer.header("cache-control")).toBe("no-store");
    expect(JSON.parse(answer.header("posthouse-explain") ?? "")).toEqual({
      host: "a.example",
      uri: "/old",
      project: "shop",
      version: 1,
      answer: { kind: "redirect", id: 1, type: "BASIC", source: "/old", target: "/new", status: 302 },
      near: [{ id: 3, type: "BASIC", source: "/OLD", reasons: ["CASE"] }],
    });
  });

  it("is explained for 404 too, and for a host without a project", async () => {
    await using harness = await startHarness(rules, { adminToken: "s3cret", hosts });
    const miss = await ask(harness, "/p", "s3cret");
    expect(miss.status).toBe(404);
    expect(JSON.parse(miss.header("posthouse-explain") ?? "")).toMatchObject({ answer: null });
    await expect
      .poll(async () => (await ask(harness, "/p/1", "s3cret", "b.example")).header("posthouse-explain"), {
        timeout: 10_000,
      })
      .toBe('{"host":"b.example","uri":"/p/1","reason":"no project for this host","near":[]}');
  });

  it("is answered as ever with another token, without one, and where no token is set", async () => {
    await using closed = await startHarness(rules, { adminToken: "s3cret", hosts });
    await using open = await startHarness(rules, { hosts });
    const answers = [
      await ask(closed, "/old"),
      ...(await Promise.all(["wrong", "s3cret2", "Bearer s3cret", ""].map((t) => ask(closed, "/old", t)))),
      await ask(open, "/old", ""),
      await ask(open, "/old", "undefined"),
    ];
    for (const { status, headers } of answers) {
      expect(status).toBe(302);
      const names = headers.map(([name]) => name);
      expect(names).toEqual(["Location", "Content-Type", "Content-Length", "Date", "Connection"]);
    }
  });
});

describe("explaining", () => {
  const busy = '{"busy":"one request a second is explained"}';

  function explaining() {
    const clock = { now: 0 };
    const log = createLog({ format: "json", level: "silent" });
    const header = createExplainHeader({ token: new Secret("t"), log, clock: () => clock.now });
    /** Resolves with the header's value once the request is answered. */
    const explain = (explanation: () => Promise<ExplainedRequest>): Promise<string> => {
      const answered = Promise.withResolvers<string>();
      let value = "";
      const exchange = {
        rawHeaders: ["Posthouse-Explain", "t"],
        addHeader(name: string, text: string) {
          if (name === "Posthouse-Explain") value = text;
        },
        answer: (status: number) => answered.resolve(String(status)),
      } as unknown as Exchange;
      expect(header.isAsked(exchange)).toBe(true);
      header.explain(exchange, explanation, () => answered.resolve(value));
      return answered.promise;
    };
    return { clock, explain };
  }

  it("is done for one request at a time, and once a second, for all who ask", async () => {
    const { clock, explain } = explaining();
    const first = Promise.withResolvers<ExplainedRequest>();
    const running = explain(() => first.promise);
    clock.now = 5000;
    expect(await explain(async () => ({}))).toBe(busy);
    first.resolve({ done: 1 });
    expect(await running).toBe('{"done":1,"near":[]}');
    await Promise.resolve();
    expect(await explain(async () => ({}))).toBe(busy);
    clock.now = 6000;
    expect(await explain(async () => ({ done: 2 }))).toBe('{"done":2,"near":[]}');
  });

  it("that fails is answered with 500, and the next one is explained", async () => {
    const { clock, explain } = explaining();
    expect(await explain(() => Promise.reject(new Error("planted")))).toBe("500");
    clock.now = 1000;
    expect(await explain(async () => ({}))).toBe('{"near":[]}');
  });

  it("fits into a header: as many near rules as there is room for, in ASCII", async () => {
    const near = Array.from({ length: 20 }, (_, id) => ({ id, source: "/\u00e9\r\n".repeat(100) }));
    const text = await explaining().explain(async () => ({ answer: null, near }));
    expect(text.length).toBeLessThanOrEqual(4000);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    const read = JSON.parse(text) as { near: object[]; more: number };
    expect(read.near.length).toBeGreaterThan(0);
    expect(read.near).toEqual(near.slice(0, read.near.length));
    expect(read.more).toBe(20 - read.near.length);
  });
});
