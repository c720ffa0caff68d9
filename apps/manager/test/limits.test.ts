import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runFailure, SqliteError } from "../src/database/sqlite-error.ts";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ page: "1KiB", pages_of_project: "2KiB" });
});
afterAll(() => harness.close());

const page = (path: string, bytes: number) => ({
  type: "BASIC",
  path,
  content: "x".repeat(bytes),
  contentType: "TEXT_PLAIN",
});
const importPath = "/api/v1/namespaces/ns/projects/prj/import";

describe("limits", () => {
  it("bounds one page and all pages of a project", async () => {
    expect((await harness.project("POST", "/pages", page("/a", 1_025))).json.code).toBe("PAGE_TOO_LARGE");
    expect((await harness.project("POST", "/pages", page("/a", 1_024))).status).toBe(201);
    expect((await harness.project("POST", "/pages", page("/b", 1_000))).status).toBe(201);
    const refused = await harness.project("POST", "/pages", page("/c", 100));
    expect([refused.status, refused.json.code]).toEqual([413, "PAGES_TOO_LARGE"]);
    await harness.project("POST", "/publish");
    expect((await harness.project("PUT", "/pages/2", page("/b", 1_024))).status).toBe(200);
    expect((await harness.project("POST", "/pages", page("/c", 1))).status).toBe(413);
  });

  it("bounds bodies", async () => {
    const large = await harness.project("POST", "/redirects", redirect("/x".repeat(600_000)));
    expect([large.status, large.json.code]).toEqual([413, "BODY_TOO_LARGE"]);
    const broken = await harness.request("POST", "/api/v1/namespaces", {
      body: "{",
      headers: { "content-type": "application/json" },
    });
    expect([broken.status, broken.json.code]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("bounds the imports that run at once", async () => {
    const controllers: ReadableStreamDefaultController<Uint8Array>[] = [];
    const headers = { "content-type": "text/tab-separated-values" };
    const slow = Array.from({ length: 4 }, () => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controllers.push(controller);
          controller.enqueue(new TextEncoder().encode("type\tsource\ttarget\tstatus\n"));
        },
      });
      return harness.request("POST", importPath, { body, headers });
    });
    const body = "type\tsource\ttarget\tstatus\n";
    await expect
      .poll(async () => (await harness.request("POST", importPath, { body, headers })).json.code, {
        timeout: 10_000,
      })
      .toBe("IMPORTS_TOO_MANY");
    for (const controller of controllers) controller.close();
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  it("stops when a project has used its ids", async () => {
    await harness.manager.stop(5_000);
    const database = new DatabaseSync(harness.databasePath);
    database.exec("update project set next_id = 4294967295");
    database.close();
    await harness.restart();
    expect((await harness.project("POST", "/redirects", redirect("/last"))).status).toBe(201);
    const full = await harness.project("POST", "/redirects", redirect("/more"));
    expect([full.status, full.json.code]).toEqual([409, "PROJECT_FULL"]);
    const headers = { "content-type": "text/tab-separated-values" };
    const body = "type\tsource\ttarget\tstatus\nBASIC\t/more\t/t\t301\n";
    expect((await harness.request("POST", importPath, { body, headers })).json.code).toBe("PROJECT_FULL");
  });

  it("says when the database is locked by something else", async () => {
    const other = new DatabaseSync(harness.databasePath);
    other.exec("begin immediate");
    const busy = await harness.project("POST", "/redirects", redirect("/busy"));
    expect([busy.status, busy.json.code]).toEqual([503, "DATABASE_BUSY"]);
    expect((await harness.agent("GET", "/version")).status).toBe(200);
    other.close();
    expect((await harness.project("DELETE", "/pages/1")).status).toBe(200);
  });

  it.each([
    [13, "DATABASE_FULL"],
    [10, "DATABASE_FAILED"],
  ])("names SQLite's error %i", (errcode, code) => {
    expect(runFailure(new SqliteError({ message: "no", errcode })).code).toBe(code);
  });
});
