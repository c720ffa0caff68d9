import { Secret } from "@posthouse/service";
import { type RawAnswer, sendRaw } from "@posthouse/testkit/raw-http";
import { describe, expect, it } from "vitest";
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
  function run(explanations: readonly (() => ExplainedRequest)[], tick = 0): string[] {
    let now = 0;
    const header = createExplainHeader(new Secret("t"), () => now);
    return explanations.map((explain) => {
      let value = "";
      now += tick;
      const rawHeaders = ["Posthouse-Explain", "t"];
      const addHeader = (name: string, text: string): void => {
        if (name === "Posthouse-Explain") value = text;
      };
      header.add({ rawHeaders, addHeader } as never, explain);
      return value;
    });
  }

  it("is done once a second for all who ask", () => {
    let done = 0;
    const explain = (): ExplainedRequest => ({ done: ++done });
    const busy = '{"busy":"one request a second is explained"}';
    expect(run([explain, explain, explain, explain], 400)).toEqual([
      '{"done":1,"near":[]}',
      busy,
      busy,
      '{"done":2,"near":[]}',
    ]);
  });

  it("fits into a header: as many near rules as there is room for, in ASCII", () => {
    const near = Array.from({ length: 20 }, (_, id) => ({ id, source: "/\u00e9\r\n".repeat(100) }));
    const [text = ""] = run([() => ({ answer: null, near })]);
    expect(text.length).toBeLessThanOrEqual(4000);
    expect(text).toMatch(/^[\x20-\x7e]+$/);
    const read = JSON.parse(text) as { near: object[]; more: number };
    expect(read.near.length).toBeGreaterThan(0);
    expect(read.near).toEqual(near.slice(0, read.near.length));
    expect(read.more).toBe(20 - read.near.length);
  });
});
