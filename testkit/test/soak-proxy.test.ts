import { describe, expect, it } from "vitest";
import { type ProxySoakResult, proxySoakProblems, soakProxy } from "../src/soak-proxy.ts";

describe("a short soak of the proxy", () => {
  it("loses no request over reloads and publishes", { timeout: 60_000 }, async () => {
    const options = { durationMs: 6000, reloads: 4, publishes: 4, connections: 6 };
    const result = await soakProxy(options);
    expect(proxySoakProblems(result, options)).toEqual([]);
    expect(result.requests).toBeGreaterThan(50);
  });
});

describe("the judgement of a soak of the proxy", () => {
  const options = { durationMs: 1, reloads: 2, publishes: 3 };
  const good: ProxySoakResult = {
    seconds: 1,
    requests: 9,
    failed: 0,
    examples: [],
    reloads: 2,
    publishes: 3,
  };

  it.each<[string, Partial<ProxySoakResult>]>([
    ["nothing was asked", { requests: 0 }],
    ["1 failed requests, such as GET /: 502", { failed: 1, examples: ["GET /: 502"] }],
    ["1 of 2 reloads took effect", { reloads: 1 }],
    ["0 of 3 publishes took effect", { publishes: 0 }],
  ])("tells: %s", (problem, change) => {
    expect(proxySoakProblems(good, options)).toEqual([]);
    expect(proxySoakProblems({ ...good, ...change }, options)).toEqual([problem]);
  });
});
