import { describe, expect, it } from "vitest";
import { type SoakResult, soakProblems, soakRedirects } from "../src/soak-redirects.ts";

describe("a short soak of the redirects job", () => {
  it("answers every request rightly while the configuration is reloaded", { timeout: 60_000 }, async () => {
    const result = await soakRedirects({ durationMs: 5000, reloadEveryMs: 1000, connections: 8, pauseMs: 2 });
    expect(soakProblems(result)).toEqual([]);
    expect(result.requests).toBeGreaterThan(100);
    expect(result.reloads).toBeGreaterThan(1);
  });
});

describe("the judgement of a soak", () => {
  const flat = { first: 100, last: 100, perHour: 0 };
  const good: SoakResult = {
    seconds: 60,
    requests: 1000,
    wrong: 0,
    examples: [],
    reloads: 10,
    reloadsUnseen: 0,
    exitCode: 0,
    memory: flat,
    files: flat,
    threads: flat,
  };

  it.each<[string, Partial<SoakResult>]>([
    ["nothing was asked", { requests: 0 }],
    ["1 wrong answers, such as GET /x: 404", { wrong: 1, examples: ["GET /x: 404"] }],
    ["no reload took effect", { reloads: 0 }],
    ["2 reloads without effect", { reloadsUnseen: 2 }],
    ["the agent ended with -1", { exitCode: -1 }],
    ["memory grows", { memory: { first: 2 ** 27, last: 2 ** 28, perHour: 1 } }],
    ["open files grow", { files: { first: 20, last: 40, perHour: 1 } }],
    ["threads grow", { threads: { first: 11, last: 15, perHour: 1 } }],
  ])("tells: %s", (problem, change) => {
    expect(soakProblems(good)).toEqual([]);
    expect(soakProblems({ ...good, ...change })).toEqual([problem]);
  });
});
