import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../src/database/database.ts";
import { createJournal } from "../src/store/journal.ts";
import { recordEvent } from "../src/store/journal-event.ts";
import { createProjectStore } from "../src/store/project.ts";
import { type Harness, startHarness } from "./manager-harness.ts";

const user = { kind: "user", id: 1, name: "ada" } as const;
const token = { kind: "token", id: 7, name: "ci" } as const;
const limits = { max_events_per_project: 600, max_administration_events: 2, purge_interval: 0 };
const never = new AbortController().signal;

describe("the journal", () => {
  let directory: string;
  let database: Database;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "journal-"));
    database = await openDatabase(join(directory, "posthouse.db"));
    const projects = createProjectStore(database);
    await projects.createNamespace({ code: "ns", name: "Namespace" });
    await projects.create("ns", { code: "prj", name: "Project" });
    await database.write
      .insertInto("user")
      .values({
        username: "ada",
        password: "",
        must_change: 0,
        permissions: "[]",
        admin: "[]",
        created_at: 0,
      })
      .execute();
  });
  afterAll(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });
  const all = { projectId: 1, limit: 10_000 };
  const emptied = async () => {
    const journal = createJournal(database, limits);
    await journal.truncate(1, undefined);
    return journal;
  };

  it("keeps an event only with the change that it tells of", async () => {
    const journal = await emptied();
    const failing = database.write.transaction().execute(async (trx) => {
      await recordEvent(trx, { projectId: 1, resource: "PROJECT", action: "PUBLISH", by: user });
      throw new Error("no");
    });
    await expect(failing).rejects.toThrow("no");
    expect(await journal.list(all)).toMatchObject([{ resource: "ACTIVITY", action: "TRUNCATE" }]);
  });

  it("tells who did what, newest first, by resource, action, actor and time", async () => {
    const journal = await emptied();
    const began = Date.now();
    const data = { after: { source: "/a" } };
    await recordEvent(database.write, {
      projectId: 1,
      resource: "REDIRECT",
      action: "CREATE",
      by: user,
      resourceId: 3,
      data,
    });
    await recordEvent(database.write, { projectId: 1, resource: "PAGE", action: "DELETE", by: token });
    await recordEvent(database.write, { projectId: null, resource: "USER", action: "CREATE", by: undefined });
    const [page, redirect] = await journal.list(all);
    expect(page).toMatchObject({ resource: "PAGE", actor: "ci", authType: "token", userId: null });
    expect(redirect).toMatchObject({
      resource: "REDIRECT",
      action: "CREATE",
      actor: "ada",
      authType: "basic",
      userId: 1,
      resourceId: 3,
      data,
    });
    const found = async (query: object) => (await journal.list({ ...all, ...query })).length;
    expect(await found({})).toBe(3);
    expect(await found({ resources: ["PAGE", "REDIRECT"] })).toBe(2);
    expect(await found({ action: "DELETE" })).toBe(1);
    expect(await found({ actor: "ada" })).toBe(1);
    expect(await found({ from: began, to: Date.now(), resources: ["PAGE", "REDIRECT"] })).toBe(2);
    expect(await found({ from: Date.now() + 1_000 })).toBe(0);
    expect(await found({ to: began - 1_000 })).toBe(0);
    expect(await found({ before: page?.id })).toBe(2);
    expect(await journal.list({ ...all, projectId: null })).toMatchObject([
      { resource: "USER", actor: "system", authType: "", userId: null },
    ]);
    await database.write.deleteFrom("user").execute();
    expect((await journal.list(all))[1]).toMatchObject({ userId: null, actor: "ada" });
  });

  it("keeps the newest events of each project", async () => {
    const journal = await emptied();
    await database.write.transaction().execute(async (trx) => {
      for (let index = 0; index < 1_300; index += 1)
        await recordEvent(trx, {
          projectId: index < 3 ? null : 1,
          resource: "PAGE",
          action: "CREATE",
          by: token,
          resourceId: index,
        });
    });
    const newest = (await journal.list(all)).slice(0, 600);
    expect(await journal.purge(never)).toBeGreaterThanOrEqual(698);
    expect(await journal.list(all)).toEqual(newest);
    expect(await journal.list({ ...all, projectId: null })).toHaveLength(2);
    expect(await journal.purge(never)).toBe(0);
    const unlimited = { ...limits, max_events_per_project: 0, max_administration_events: 0 };
    expect(await createJournal(database, unlimited).purge(never)).toBe(0);
  });
});

describe("the journal over HTTP", () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness.close());

  it("says when it was emptied", async () => {
    const answer = await harness.project("POST", "/journal/truncate");
    expect([answer.status, answer.json]).toEqual([200, { removed: expect.any(Number) }]);
    const { items } = (await harness.project("GET", "/journal?resource=ACTIVITY&action=TRUNCATE")).json;
    expect(items).toMatchObject([{ actor: "test", authType: "token", data: { drafts: 0 } }]);
  });

  it("walks by cursor", async () => {
    for (let index = 0; index < 4; index += 1) await harness.project("POST", "/journal/truncate");
    await harness.project("POST", "/journal/truncate");
    const first = (await harness.project("GET", "/journal?limit=1")).json;
    expect(first.items).toHaveLength(1);
    const refused = await harness.project("GET", "/journal?from=yesterday");
    expect([refused.status, refused.json.code]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("tells of the Manager itself to those who may see that section", async () => {
    const reader = (section: "users" | "tokens") =>
      harness.manager.issueToken(section, { permissions: [], admin: [{ section, action: "read" }] });
    const users = await reader("users");
    expect((await harness.request("GET", "/api/v1/journal?resource=USER", { token: users })).status).toBe(
      200,
    );
    const refused = await harness.request("GET", "/api/v1/journal?resource=USER", {
      token: await reader("tokens"),
    });
    expect([refused.status, refused.json.code]).toEqual([403, "PERMISSION_MISSING"]);
  });
});
