import type { Item } from "@posthouse/protocol";
import { compileRules, type RuleSet } from "@posthouse/rules";
import { createLog } from "@posthouse/service";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { createHits } from "../src/redirects/hits.ts";
import { basic, startHarness } from "./harness.ts";

const log = createLog({ format: "json", level: "silent" });
const compile = (sources: readonly string[]): RuleSet =>
  compileRules(
    sources.map((source, index): Item => ({ id: index + 1, kind: "redirect", ...basic(source, "/t") })),
  );

describe("hits per rule", () => {
  it("follow their rules from one rule set to the next, whatever the ids", async () => {
    const source = fc.integer({ min: 1, max: 30 }).map((number) => `/${number}`);
    const ruleSets = fc.array(fc.uniqueArray(source, { minLength: 1 }), { minLength: 1, maxLength: 5 });
    const picks = fc.array(fc.nat(), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(ruleSets, picks, async (lists, chosen) => {
        const hits = createHits(log);
        let expected = new Map<string, number>();
        for (const list of lists) {
          const ruleSet = compile(list);
          expected = new Map([...expected].filter(([key]) => list.includes(key)));
          for (const pick of chosen) {
            const index = pick % list.length;
            hits.count(ruleSet, index + 1);
            expected.set(list[index] ?? "", (expected.get(list[index] ?? "") ?? 0) + 1);
          }
          await hits.turnTo(ruleSet);
          for (const [index, key] of list.entries()) {
            expect(hits.get(index + 1)?.count ?? 0).toBe(expected.get(key) ?? 0);
          }
          expect(hits.distinct).toBe(expected.size);
        }
        expect(hits.total).toBe(lists.length * chosen.length);
        expect(hits.uncounted).toBe(0);
      }),
    );
  });

  it("are counted for rules that change twice before the counts have followed", async () => {
    const hits = createHits(log);
    const [one, two, three] = [compile(["/a", "/b"]), compile(["/b", "/a"]), compile(["/c", "/b"])];
    hits.count(one, 2);
    hits.count(two, 1);
    hits.count(three, 2);
    await hits.turnTo(three);
    expect(hits.get(2)?.count).toBe(3);
  });

  it("are bounded: what finds no room is counted as a whole", () => {
    const hits = createHits(log);
    const ruleSet = compile(["/a"]);
    for (let leaf = 0; leaf < 16_384; leaf++) hits.count(ruleSet, leaf * 256 + 1);
    expect(hits.uncounted).toBe(0);
    hits.count(ruleSet, 16_384 * 256 + 1);
    hits.count(ruleSet, 1);
    expect([hits.uncounted, hits.total, hits.get(1)?.count]).toEqual([1, 16_386, 2]);
  });
});

interface List {
  readonly total: number;
  readonly items: readonly { source: string; hits: number; last?: string }[];
}

describe("/hits", () => {
  it("lists the rules of a project in several orders, those that were never hit included", async () => {
    await using harness = await startHarness([basic("/a", "/x"), basic("/b", "/x"), basic("/c", "/x")]);
    const site = `http://127.0.0.1:${harness.sitePort}`;
    const admin = `http://127.0.0.1:${harness.adminPort}`;
    const visit = (path: string): Promise<Response> => fetch(site + path, { redirect: "manual" });
    for (const path of ["/b", "/b", "/a", "/nothing"]) await visit(path);
    const list = async (query: string): Promise<List> => {
      const response = await fetch(`${admin}/hits?project=shop&${query}`);
      expect(response.status).toBe(200);
      return (await response.json()) as List;
    };
    const most = await list("");
    expect(most).toMatchObject({ project: "shop", total: 3, rules: 3, hitRules: 2, uncounted: 0 });
    expect(most.items).toEqual([
      expect.objectContaining({ id: 2, kind: "redirect", type: "BASIC", source: "/b", hits: 2 }),
      expect.objectContaining({ source: "/a", hits: 1 }),
      { id: 3, kind: "redirect", type: "BASIC", source: "/c", hits: 0 },
    ]);
    expect(Math.abs(Date.now() - Date.parse(most.items[0]?.last ?? ""))).toBeLessThan(60_000);
    const sources = async (query: string): Promise<string[]> =>
      (await list(query)).items.map(({ source }) => source);
    expect(await sources("order=least")).toEqual(["/c", "/a", "/b"]);
    expect(await sources("order=id&limit=2")).toEqual(["/a", "/b"]);
    expect((await sources("order=recent")).at(-1)).toBe("/c");

    const status = (await (await fetch(`${admin}/status`)).json()) as { projects: unknown };
    expect(status.projects).toMatchObject({ shop: { hits: { total: 3, rules: 2 } } });
    const metrics = await (await fetch(`${admin}/metrics`)).text();
    expect(metrics).toContain('posthouse_redirects_hits_total{project="shop"} 3');
    expect(metrics).toContain('posthouse_redirects_rules_hit{project="shop"} 2');
  });

  it("keeps the counts when rules and configuration change", async () => {
    await using harness = await startHarness([basic("/a", "/x"), basic("/b", "/x")]);
    const site = (): string => `http://127.0.0.1:${harness.sitePort}`;
    await fetch(`${site()}/b`, { redirect: "manual" });
    harness.manager.redirects = [basic("/new", "/x"), basic("/a", "/x"), basic("/b", "/x")];
    harness.manager.version = 2;
    await vi.waitFor(
      async () => expect((await fetch(`${site()}/new`, { redirect: "manual" })).status).toBe(302),
      10_000,
    );
    const list = async (): Promise<unknown> =>
      (await fetch(`http://127.0.0.1:${harness.adminPort}/hits?project=shop`)).json();
    expect(await list()).toMatchObject({
      items: [{ source: "/new" }, { source: "/b", hits: 1 }, { hits: 0 }],
    });
    await harness.agent.reload(harness.config({ hosts: [{ match: ["127.0.0.1"], project: "shop" }] }));
    await fetch(`${site()}/b`, { redirect: "manual" });
    expect(await list()).toMatchObject({ total: 3, items: [{ source: "/b", hits: 2 }, {}, {}] });
  });

  it.each([
    ["", 400, "INVALID_QUERY"],
    ["?project=shop&limit=0", 400, "INVALID_QUERY"],
    ["?project=shop&order=best", 400, "INVALID_QUERY"],
    ["?project=shop&x=1", 400, "INVALID_QUERY"],
    ["?project=none", 404, "UNKNOWN_PROJECT"],
  ])("answers %s with %i %s", async (query, status, code) => {
    await using harness = await startHarness();
    const response = await fetch(`http://127.0.0.1:${harness.adminPort}/hits${query}`);
    expect([response.status, await response.json()]).toEqual([status, expect.objectContaining({ code })]);
  });

  it("asks for the token when there is one", async () => {
    await using harness = await startHarness(undefined, { adminToken: "s3cret" });
    const url = `http://127.0.0.1:${harness.adminPort}/hits?project=shop`;
    expect((await fetch(url)).status).toBe(401);
    expect((await fetch(url, { headers: { authorization: "Bearer s3cret" } })).status).toBe(200);
  });
});
