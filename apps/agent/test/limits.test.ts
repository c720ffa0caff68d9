import type { Redirect } from "@posthouse/protocol";
import { sendRaw } from "@posthouse/testkit/raw-http";
import { describe, expect, it, vi } from "vitest";
import { type Harness, startHarness } from "./harness.ts";

const pattern = (source: string, target = "/t"): Redirect => ({
  type: "REGEX",
  source,
  target,
  status: "FOUND",
});

const status = async ({ sitePort }: Harness, path: string): Promise<number> =>
  (await sendRaw(sitePort, [`GET ${path} HTTP/1.1`, "Host: a.example"])).status;

interface Shop {
  readonly problems: number;
  readonly firstProblems: readonly object[];
}

async function shop({ adminPort }: Harness): Promise<Shop> {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/status`);
  return ((await answer.json()) as { projects: { shop: Shop } }).projects.shop;
}

const metrics = async ({ adminPort }: Harness): Promise<string> =>
  (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();

describe("what patterns may cost", () => {
  it("is set per project, and what is cut off is counted, over changes of the rules too", async () => {
    const rules = [pattern("^/long/.*$"), pattern("^/(.*)/$", "/$1"), pattern("^//(.*)$", "//$1")];
    await using harness = await startHarness(rules, { project: { limits: { regex_uri: "64B" } } });
    expect(await status(harness, `/long/${"x".repeat(50)}`)).toBe(302);
    expect(await status(harness, `/long/${"x".repeat(64)}`)).toBe(404);
    const counted = (count: number): string =>
      `posthouse_redirects_cut_off_total{project="shop",reason="uri_too_long"} ${count}\n`;
    expect(await metrics(harness)).toContain(counted(1));
    harness.manager.redirects = [pattern("^/other$")];
    harness.manager.version = 2;
    await vi.waitFor(async () => expect(await status(harness, "/other")).toBe(302), 10_000);
    expect(await status(harness, `/long/${"x".repeat(64)}`)).toBe(404);
    expect(await metrics(harness)).toContain(counted(2));
  });

  it("leaves out a pattern that is too large, which /status shows with its code and item", async () => {
    // Overlapping repeats, so that V8 may not run it.
    const costly = pattern("^/(a|a[bc]){1,8}(a|ab){1,8}$");
    const rules = [pattern("^/x$"), costly, pattern("^/(")];
    await using harness = await startHarness(rules, { project: { limits: { pattern_size: 20 } } });
    expect(await status(harness, "/x")).toBe(302);
    expect(await status(harness, "/aab")).toBe(404);
    const before = await shop(harness);
    expect(before.problems).toBe(2);
    expect(before.firstProblems).toEqual([
      expect.objectContaining({ code: "PATTERN_TOO_COSTLY", severity: "error", item: 2, field: "source" }),
      expect.objectContaining({ code: "PATTERN_INVALID", item: 3, position: expect.any(Number) }),
    ]);
    await harness.agent.reload(harness.config({ project: { limits: { pattern_size: 1000 } } }));
    expect(await status(harness, "/aab")).toBe(302);
    expect((await shop(harness)).problems).toBe(1);
  });

  it("shows the first hundred problems and how many there are", async () => {
    await using harness = await startHarness(Array.from({ length: 150 }, () => pattern("^/(")));
    const { problems, firstProblems } = await shop(harness);
    expect([problems, firstProblems.length]).toEqual([150, 100]);
    const told = harness.entries.filter(({ level, code }) => level === "warn" && code === "PATTERN_INVALID");
    expect(told).toHaveLength(10);
  });
});
