import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

async function snapshot() {
  const { text, headers } = await harness.agent("GET", "/snapshot");
  return { ...readLines(text), etag: headers.get("etag") };
}

describe("drafts and publishing", () => {
  it("starts at version 1, with nothing", async () => {
    expect((await harness.agent("GET", "/version")).text).toBe("1\n");
    const { header, lines } = await snapshot();
    expect(header).toEqual({
      posthouse: "snapshot",
      format: 1,
      namespace: "ns",
      project: "prj",
      version: 1,
      hash: hashOfLines([]),
      items: 0,
    });
    expect(lines).toEqual([]);
    const refused = await harness.project("POST", "/publish");
    expect([refused.status, refused.json.code]).toEqual([409, "NOTHING_TO_PUBLISH"]);
  });

  it("serves what was published, under ids that redirects and pages share", async () => {
    const first = await harness.project("POST", "/redirects", redirect("/a"));
    expect(first.status).toBe(201);
    expect(first.json.draft).toMatchObject({
      id: 1,
      kind: "redirect",
      change: "CREATE",
      redirect: redirect("/a"),
    });
    const page = {
      type: "BASIC",
      path: "/robots.txt",
      content: "User-agent: *\n",
      contentType: "TEXT_PLAIN",
    };
    expect((await harness.project("POST", "/pages", page)).json.draft).toMatchObject({ id: 2, page });
    await harness.project("POST", "/redirects", redirect("/b"));
    expect((await harness.agent("GET", "/version")).text).toBe("1\n");
    expect((await harness.project("GET", "")).json.drafts).toEqual({ redirects: 2, pages: 1 });

    const published = await harness.project("POST", "/publish");
    expect(published.status).toBe(200);
    expect(published.json).toMatchObject({
      version: 2,
      redirects: { created: 2, updated: 0, deleted: 0 },
      pages: { created: 1, updated: 0, deleted: 0 },
    });
    const { header, lines, etag } = await snapshot();
    expect(header).toMatchObject({ version: 2, items: 3, hash: hashOfLines(lines) });
    expect(etag).toBe(`"${header.hash}"`);
    expect(lines.map((line) => JSON.parse(line).id)).toEqual([1, 2, 3]);
    const again = await harness.agent("GET", "/snapshot", { headers: { "if-none-match": etag ?? "" } });
    expect(again.status).toBe(304);
    expect((await harness.project("GET", "")).json).toMatchObject({
      version: 2,
      hash: header.hash,
      redirects: 2,
      pages: 1,
      drafts: { redirects: 0, pages: 0 },
    });
  });

  it("keeps ids across updates and says what changed since a version", async () => {
    await harness.project("PUT", "/redirects/1", redirect("/a2"));
    await harness.project("DELETE", "/redirects/3");
    await harness.project("POST", "/redirects", redirect("/c"));
    const { json } = await harness.project("POST", "/publish");
    expect(json.redirects).toEqual({ created: 1, updated: 1, deleted: 1 });
    const { header, lines } = await snapshot();
    expect(header.hash).toBe(hashOfLines(lines));
    const changes = readLines((await harness.agent("GET", "/changes?from=2")).text);
    expect(changes.header).toEqual({
      posthouse: "changes",
      format: 1,
      from: 2,
      to: 3,
      hash: header.hash,
      items: 3,
    });
    expect(changes.lines.map((line) => JSON.parse(line))).toEqual([
      { id: 1, kind: "redirect", ...redirect("/a2") },
      { id: 3, deleted: true },
      { id: 4, kind: "redirect", ...redirect("/c") },
    ]);
    expect(readLines((await harness.agent("GET", "/changes?from=3")).text).lines).toEqual([]);
    for (const from of [0, 4, 99]) {
      const gone = await harness.agent("GET", `/changes?from=${from}`);
      expect([gone.status, gone.json.code]).toEqual([404, "CHANGES_GONE"]);
    }
  });

  it("turns a pending deletion into an update, and forgets a new redirect that is removed", async () => {
    await harness.project("DELETE", "/redirects/1");
    const updated = await harness.project("PUT", "/redirects/1", redirect("/a3"));
    expect(updated.json.draft).toMatchObject({ id: 1, change: "UPDATE", redirect: redirect("/a3") });
    expect((await harness.project("GET", "/redirects?limit=1")).json).toEqual({
      items: [{ id: 1, ...redirect("/a2"), version: 3, draft: "UPDATE", pending: redirect("/a3") }],
      next: expect.any(String),
    });
    const { json } = await harness.project("POST", "/redirects", redirect("/new"));
    expect((await harness.project("DELETE", `/redirects/${json.draft.id}`)).status).toBe(204);
    expect((await harness.project("DELETE", "/redirects/999")).json.code).toBe("ITEM_NOT_FOUND");
    expect((await harness.project("PUT", "/redirects/999", redirect("/x"))).json.code).toBe("ITEM_NOT_FOUND");
    expect((await harness.project("DELETE", "/drafts/999")).json.code).toBe("DRAFT_NOT_FOUND");
    expect((await harness.project("GET", "/redirects?search=A2")).json.items).toHaveLength(1);
    await harness.project("POST", "/publish");
  });

  it("refuses what an agent could not serve", async () => {
    const bad = await harness.project("POST", "/redirects", { ...redirect("("), type: "REGEX" });
    expect([bad.status, bad.json.code]).toEqual([400, "REDIRECT_INVALID"]);
    const page = { type: "BASIC", path: "nowhere", content: "", contentType: "XML" };
    expect((await harness.project("POST", "/pages", page)).json.code).toBe("PAGE_INVALID");
    const large = { ...page, path: "/large", content: "x".repeat(1024 * 1024 + 1) };
    expect((await harness.project("POST", "/pages", large)).status).toBe(413);
    const unknown = await harness.project("POST", "/redirects", { ...redirect("/u"), weight: 3 });
    expect([unknown.status, unknown.json.code]).toEqual([400, "REQUEST_INVALID"]);
  });

  it("answers 409 to a second publish while one runs", async () => {
    await harness.project("POST", "/redirects", redirect("/race"));
    const answers = await Promise.all([
      harness.project("POST", "/publish"),
      harness.project("POST", "/publish"),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
  });

  it("keeps everything over a restart", async () => {
    const before = await snapshot();
    await harness.restart();
    expect(await snapshot()).toEqual(before);
    expect(harness.manager.firstLogin).toBeUndefined();
  });
});
