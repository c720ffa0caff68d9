import { compileRules } from "@posthouse/rules";
import { createLog } from "@posthouse/service";
import { exchangeBytes, parseAnswer } from "@posthouse/testkit/raw-http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createMetrics } from "../src/core/metrics.ts";
import { createHttpCounters } from "../src/http/http-metrics.ts";
import { createNode1Server } from "../src/http/node1.ts";
import { createPipeline } from "../src/http/pipeline.ts";
import { createHostTable } from "../src/http/sites.ts";
import { createRedirectHandler } from "../src/redirects/handler.ts";
import { createHits } from "../src/redirects/hits.ts";

const metrics = createMetrics();
const requests = metrics.counter("requests", "Requests.", ["project", "result"]);
const ruleSet = compileRules([
  { id: 1, kind: "redirect", type: "REGEX", source: "^/(.*)$", target: "/$1", status: "FOUND" },
]);
const log = createLog({ format: "json", level: "silent" });
const handler = createRedirectHandler({
  project: "p",
  source: { ruleSet, status: { version: 1 } },
  compat: undefined,
  debug: false,
  hits: createHits(log),
  requests,
});
const hosts = createHostTable([{ match: ["*.example"], value: { rules: handler, proxy: undefined } }]);
const server = createNode1Server({
  name: "fuzz",
  listen: { host: "127.0.0.1", port: 0 },
  role: { handler: createPipeline({ hosts }), counters: createHttpCounters(metrics)("fuzz") },
  log,
});
beforeAll(() => server.start());
afterAll(() => server.stop(1000));

const byte = (from: number, to: number) =>
  fc.integer({ min: from, max: to }).map((code) => String.fromCharCode(code));
const bytes = (from: number, to: number) =>
  fc.array(byte(from, to), { maxLength: 20 }).map((list) => list.join(""));
const method = fc.constantFrom("GET", "HEAD", "POST", "OPTIONS", "PURGE", "get");
const target = fc.oneof(
  bytes(0x21, 0x7e).map((text) => `/${text}`),
  bytes(0x21, 0x7e),
  bytes(0x21, 0x7e).map((text) => `http://${text}`),
  bytes(0x00, 0xff).map((text) => `/${text}`),
);
const host = fc.oneof(fc.constant("a.example"), bytes(0x20, 0xff));

describe("any request", () => {
  it("is answered in proper HTTP, never with 500, and a Location is one line of ASCII", async () => {
    await fc.assert(
      fc.asyncProperty(method, target, host, async (verb, path, name) => {
        const text = await exchangeBytes(
          server.address?.port ?? 0,
          `${verb} ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`,
        );
        const answer = parseAnswer(text);
        expect([200, 302, 400, 404]).toContain(answer.status);
        expect(answer.header("location") ?? "").toMatch(/^[\x20-\x7e]*$/);
        expect(answer.header("location") ?? "/").not.toMatch(/^(\/[/\\]|[a-z]+:)/i);
        if (verb === "HEAD" && answer.status !== 400) expect(answer.body).toBe("");
      }),
      { numRuns: 500 },
    );
  });
});
