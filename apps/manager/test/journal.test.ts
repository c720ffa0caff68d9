import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Database, openDatabase } from "../src/database/database.ts";
import { createJournal } from "../src/store/journal.ts";
import { recordEvent } from "../src/store/journal-event.ts";
import { createProjectStore } from "../src/store/project.ts";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

interface Event {
  readonly id: number;
  readonly resource: string;
  readonly action: string;
  readonly resourceId: number | null;
  readonly data: unknown;
}

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
    const projects = createProjectStore(database, () => {});
    await projects.createNamespace({ code: "ns", name: "Namespace" }, undefined);
    await projects.create("ns", { code: "prj", name: "Project" }, undefined);
    await database.write.deleteFrom("event").execute(); // those of the two lines above
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

  const events = async (query = ""): Promise<{ items: Event[]; next?: number }> =>
    (await harness.project("GET", `/journal?${query}`)).json;
  /** What was recorded while `run` ran, oldest first. */
  async function recorded(run: () => Promise<unknown>) {
    const last = (await events("limit=1")).items[0]?.id ?? 0;
    await run();
    const { items } = await events();
    return items
      .filter(({ id }) => id > last)
      .map(({ resource, action, resourceId, data }) => [resource, action, resourceId, data])
      .reverse();
  }
  const call = (method: string, path: string, json?: unknown) => harness.project(method, path, json);
  const page = { type: "BASIC", path: "/p", content: "text", contentType: "XML" };
  const summary = { type: "BASIC", path: "/p", contentType: "XML", contentSize: 4 };
  const none = { created: 0, updated: 0, deleted: 0 };

  it("tells each edit, before and after, and never a page's content", async () => {
    const edits = await recorded(async () => {
      await call("POST", "/redirects", redirect("/a")); // 1
      await call("PUT", "/redirects/1", redirect("/a", "/b"));
      await call("POST", "/pages", page); // 2
      await call("DELETE", "/redirects/1");
      await call("POST", "/redirects", redirect("/c")); // 3
    });
    expect(edits).toEqual([
      ["REDIRECT", "CREATE", 1, { after: redirect("/a") }],
      ["REDIRECT", "UPDATE", 1, { before: redirect("/a"), after: redirect("/a", "/b") }],
      ["PAGE", "CREATE", 2, { after: summary }],
      ["REDIRECT", "ROLLBACK", 1, { scope: "SINGLE", changeType: "CREATE", entry: redirect("/a", "/b") }],
      ["REDIRECT", "CREATE", 3, { after: redirect("/c") }],
    ]);
  });

  it("tells publishes, restores, rollbacks and truncates", async () => {
    const made = await recorded(async () => {
      await call("POST", "/publish");
      await call("DELETE", "/pages/2");
      await call("DELETE", "/drafts/2");
      await call("PUT", "/redirects/3", redirect("/d"));
      await call("POST", "/redirects/rollback");
      await call("POST", "/redirects/rollback");
      await call("POST", "/redirects/truncate");
      await call("POST", "/versions/2/restore");
    });
    expect(made).toEqual([
      [
        "PROJECT",
        "PUBLISH",
        null,
        { version: 2, redirects: { ...none, created: 1 }, pages: { ...none, created: 1 } },
      ],
      ["PAGE", "DELETE", 2, { before: summary }],
      ["PAGE", "ROLLBACK", 2, { scope: "SINGLE", changeType: "DELETE", entry: summary }],
      ["REDIRECT", "UPDATE", 3, { before: redirect("/c"), after: redirect("/d") }],
      ["REDIRECT", "ROLLBACK", null, { scope: "PROJECT", discarded: { create: 0, update: 1, delete: 0 } }],
      ["REDIRECT", "TRUNCATE", null, { published: 1, drafts: 0, version: 3 }],
      [
        "PROJECT",
        "RESTORE",
        null,
        { version: 4, restored: 2, redirects: { ...none, created: 1 }, pages: none },
      ],
    ]);
  });

  it("tells nothing of what was refused", async () => {
    const refused = await recorded(async () => {
      await call("POST", "/redirects", redirect("/c"));
      await call("POST", "/publish");
      await call("POST", "/versions/9/restore");
      await call("DELETE", "/redirects/999");
    });
    expect(refused).toEqual([]);
  });

  it("is walked by cursor, newest first", async () => {
    const { items } = await events();
    const walked: Event[] = [];
    for (let cursor: number | undefined; ; ) {
      const part = await events(`limit=5${cursor === undefined ? "" : `&cursor=${cursor}`}`);
      walked.push(...part.items);
      cursor = part.next;
      if (cursor === undefined) break;
    }
    expect(walked).toEqual(items);
    expect(items.map(({ id }) => id)).toEqual(items.map(({ id }) => id).sort((a, b) => b - a));
    expect((await events("resource=PAGE&action=DELETE&actor=test")).items).toHaveLength(1);
    const refused = await harness.project("GET", "/journal?from=yesterday");
    expect([refused.status, refused.json.code]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("says when it was emptied", async () => {
    const { length } = (await events("limit=1000")).items;
    const answer = await harness.project("POST", "/journal/truncate");
    expect([answer.status, answer.json]).toEqual([200, { removed: length }]);
    expect((await events()).items).toMatchObject([
      { resource: "ACTIVITY", action: "TRUNCATE", actor: "test", authType: "token", data: { drafts: 0 } },
    ]);
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
