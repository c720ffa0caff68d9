import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({}, { agents: { offline_after: "2s" } });
});
afterAll(() => harness.close());

const report = (name: string, more: object = {}) =>
  harness.agent("POST", "/agents", {
    json: { name, status: "success", type: "default", version: 1, load_duration: 5, error: "", ...more },
  });
const list = async (query = "") => (await harness.project("GET", `/agents${query}`)).json;
const names = async (query: string): Promise<string[]> =>
  (await list(query)).items.map(({ name }: { name: string }) => name);

describe("the fleet", () => {
  it("shows status, lag and last word, and is filtered", async () => {
    await report("a1");
    await report("a2", { status: "error", error: "no regex" });
    await report("t1", { type: "traefik" });
    await harness.project("POST", "/redirects", redirect("/x"));
    await harness.project("POST", "/publish");
    await report("a3", { version: 2 });
    const { version, items } = await list();
    expect(version).toBe(2);
    expect(items).toMatchObject([
      { name: "a1", lag: 1, online: true, status: "success" },
      { name: "a2", lag: 1, error: "no regex" },
      { name: "a3", lag: 0 },
      { name: "t1", type: "traefik" },
    ]);
    expect(await names("?status=error")).toEqual(["a2"]);
    expect(await names("?type=traefik")).toEqual(["t1"]);
    expect(await names("?search=A")).toEqual(["a1", "a2", "a3"]);
    expect(await names("?lagging=false")).toEqual(["a3"]);
    const { items: page, next } = await list("?limit=3");
    expect([page.length, next]).toEqual([3, "a3"]);
    expect(await names(`?limit=3&cursor=${next}`)).toEqual(["t1"]);
    expect((await harness.project("GET", "/agents?online=maybe")).status).toBe(400);
  });

  it("calls offline who was not heard of for a while", async () => {
    await expect.poll(() => names("?online=false"), { timeout: 15_000 }).toContain("a1");
    expect((await harness.agent("PATCH", "/agents/a1/hit")).status).toBe(200);
    expect(await names("?online=true")).toContain("a1");
  });

  it("keeps no agent waiting while the database is busy, and loses nothing", async () => {
    const other = new DatabaseSync(harness.databasePath);
    other.exec("begin immediate");
    const before = (await list("?search=a1")).items[0].lastHitAt;
    await sleep(20);
    let begun = performance.now();
    expect((await harness.agent("PATCH", "/agents/a1/hit")).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(500);
    begun = performance.now();
    expect((await report("new")).status).toBe(200);
    expect(performance.now() - begun).toBeLessThan(2_500);
    expect((await harness.agent("PATCH", "/agents/new/hit")).status).toBe(200);
    expect((await harness.agent("PATCH", "/agents/unknown/hit")).status).toBe(500);
    other.exec("rollback");
    other.close();
    await expect.poll(() => names("?search=new"), { timeout: 15_000 }).toEqual(["new"]);
    expect((await list("?search=a1")).items[0].lastHitAt > before).toBe(true);
  });

  it("keeps hits over a restart", async () => {
    const before = (await list("?search=a2")).items[0].lastHitAt;
    await sleep(20);
    await harness.agent("PATCH", "/agents/a2/hit");
    await harness.restart();
    expect((await list("?search=a2")).items[0].lastHitAt > before).toBe(true);
  });

  it("forgets an agent that is removed, until it reports again", async () => {
    await harness.agent("PATCH", "/agents/t1/hit");
    expect((await harness.project("DELETE", "/agents/t1")).status).toBe(204);
    const hit = await harness.agent("PATCH", "/agents/t1/hit");
    expect([hit.status, hit.text]).toEqual([500, '{"message":"record not found"}\n']);
    expect((await harness.project("DELETE", "/agents/t1")).json.code).toBe("AGENT_NOT_FOUND");
    const events = (await harness.project("GET", "/journal?resource=AGENT")).json.items;
    expect(events).toMatchObject([{ action: "DELETE", data: { name: "t1" } }]);
    await report("t1", { type: "traefik" });
    expect((await harness.agent("PATCH", "/agents/t1/hit")).status).toBe(200);
  });

  it("is counted in metrics, with a 0 where there is nothing", async () => {
    const path = "/api/v1/namespaces/ns/projects";
    await harness.request("POST", path, { json: { code: "empty", name: "Empty" } });
    await report("a2", { status: "error" });
    await report("a3", { version: 2 });
    const { text } = await harness.request("GET", "/metrics");
    const value = (name: string, labels: string) =>
      Number(new RegExp(`^posthouse_manager_${name}{${labels}} (.*)$`, "m").exec(text)?.[1]);
    const of = (project: string, label: string) => `namespace="ns",project="${project}",${label}`;
    for (const state of ["online", "offline", "lagging", "failing"])
      expect(value("project_agents_count", of("empty", `state="${state}"`)), state).toBe(0);
    expect(value("project_agents_count", of("prj", 'state="online"'))).toBeGreaterThanOrEqual(2);
    expect(value("project_agents_count", of("prj", 'state="failing"'))).toBe(1);
    expect(value("project_agents_count", of("prj", 'state="lagging"'))).toBeGreaterThanOrEqual(1);
    expect(value("project_version_count", 'namespace="ns",project="prj"')).toBe(2);
    expect(value("project_drafts_count", of("prj", 'kind="page"'))).toBe(0);
    expect(value("project_items_count", of("prj", 'kind="redirect"'))).toBe(1);
    expect(text).toMatch(/^posthouse_manager_database_waiting_writes_count \d/m);
    expect(text).toMatch(/^posthouse_manager_agent_hits_batch_count_count [1-9]/m);
    expect(text).toMatch(/^posthouse_manager_agent_hits_dropped_total 0$/m);
  });

  it("counts answers by status, errors too", async () => {
    await harness.request("GET", "/api/namespace/ns/project/none/version");
    await harness.request("GET", "/api/namespace/ns/project/prj/version", { token: null });
    const { text } = await harness.request("GET", "/metrics");
    const route = 'method="GET",route="/api/namespace/:ns/project/:prj/version"';
    for (const status of [401, 500])
      expect(text).toMatch(new RegExp(`requests_total{${route},status="${status}"} [1-9]`));
  });
});
