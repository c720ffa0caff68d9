import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const projects = "/api/v1/namespaces/ns/projects";
const rowsOf = (table: string): number => {
  const database = new DatabaseSync(harness.databasePath, { readOnly: true });
  try {
    const [row] = database.prepare(`select count(*) as count from ${table}`).all() as { count: number }[];
    return row?.count ?? 0;
  } finally {
    database.close();
  }
};

describe("removing", () => {
  it("a project hides it at once, sweeps its rows, and frees its code", async () => {
    const rows = Array.from({ length: 5_000 }, (_, index) => `BASIC\t/r/${index}\t/t\t301`);
    const body = `type\tsource\ttarget\tstatus\n${rows.join("\n")}`;
    const headers = { "content-type": "text/tab-separated-values" };
    await harness.request("POST", `${projects}/prj/import`, { body, headers });
    await harness.project("POST", "/publish");
    await harness.project("POST", "/redirects", redirect("/draft"));
    const report = {
      name: "a1",
      status: "success",
      type: "default",
      version: 2,
      load_duration: 5,
      error: "",
    };
    await harness.agent("POST", "/agents", { json: report });
    const stream = await fetch(`${harness.manager.url}/api/namespace/ns/project/prj/events`, {
      headers: { authorization: `Bearer ${harness.admin}` },
    });
    const ended = stream.text();
    expect((await harness.agent("GET", "/snapshot")).status).toBe(200);
    const snapshots = () => readdirSync(`${harness.databasePath}-snapshots`);
    expect(snapshots()).toEqual(["1-2.gz"]);

    expect((await harness.request("DELETE", `${projects}/prj`)).status).toBe(204);
    expect(await ended).toContain('"version":2');
    expect((await harness.project("GET", "")).json.code).toBe("PROJECT_NOT_FOUND");
    const version = await harness.agent("GET", "/version");
    expect([version.status, version.text]).toEqual([500, '{"message":"record not found"}\n']);
    expect((await harness.agent("PATCH", "/agents/a1/hit")).status).toBe(500);
    expect((await harness.request("GET", projects)).json.items).toEqual([]);
    expect((await harness.request("DELETE", `${projects}/prj`)).json.code).toBe("PROJECT_NOT_FOUND");

    await harness.request("POST", projects, { json: { code: "prj", name: "Again" } });
    expect((await harness.agent("GET", "/version")).text).toBe("1\n");
    const again = await harness.agent("GET", "/snapshot");
    expect(JSON.parse(again.text)).toMatchObject({ version: 1, items: 0 });
    await expect.poll(() => rowsOf("project"), { timeout: 15_000 }).toBe(1);
    expect(snapshots()).not.toContain("1-2.gz");
    for (const table of ["item", "draft", "change", "node", "agent"]) expect(rowsOf(table)).toBe(0);
  });

  it("a namespace removes its projects, and goes on after a restart", async () => {
    await harness.request("POST", "/api/v1/namespaces", { json: { code: "old", name: "Old" } });
    for (const code of ["one", "two"])
      await harness.request("POST", "/api/v1/namespaces/old/projects", { json: { code, name: code } });
    expect((await harness.request("DELETE", "/api/v1/namespaces/old")).status).toBe(204);
    await harness.restart();
    await expect.poll(() => rowsOf("project"), { timeout: 15_000 }).toBe(1);
    await expect.poll(() => rowsOf("namespace"), { timeout: 15_000 }).toBe(1);
    const gone = await harness.request("DELETE", "/api/v1/namespaces/old");
    expect([gone.status, gone.json.code]).toEqual([404, "NAMESPACE_NOT_FOUND"]);
  });

  it("keeps the codes and changes the names", async () => {
    const named = { code: "prj", name: "Other" };
    expect((await harness.request("PUT", `${projects}/prj`, { json: { name: "Other" } })).json).toEqual(
      named,
    );
    expect((await harness.request("GET", projects)).json.items).toEqual([named]);
    await harness.request("PUT", "/api/v1/namespaces/ns", { json: { name: "New" } });
    expect((await harness.request("GET", "/api/v1/namespaces")).json.items).toEqual([
      { code: "ns", name: "New" },
    ]);
    expect((await harness.request("PUT", `${projects}/none`, { json: { name: "x" } })).status).toBe(404);
    const { items } = (await harness.request("GET", "/api/v1/journal?resource=PROJECT")).json;
    expect(items[0]).toMatchObject({ action: "UPDATE", data: { before: "Again", after: "Other" } });
    expect(items[1]).toMatchObject({ action: "CREATE" });
  });
});
