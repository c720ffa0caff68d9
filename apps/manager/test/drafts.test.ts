import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const call = (method: string, path: string, json?: unknown) => harness.project(method, path, json);
const codeOf = async (method: string, path: string, json?: unknown) => {
  const answer = await call(method, path, json);
  return [answer.status, answer.json?.code];
};
const page = (path: string, content = "text") => ({
  type: "BASIC",
  path,
  content,
  contentType: "TEXT_PLAIN",
});
/** Publishes redirects with these sources and gives their ids. */
async function published(...sources: string[]): Promise<number[]> {
  const ids: number[] = [];
  for (const source of sources) ids.push((await call("POST", "/redirects", redirect(source))).json.draft.id);
  expect((await call("POST", "/publish")).status).toBe(200);
  return ids;
}
async function served(): Promise<Record<string, number>> {
  const { text } = await harness.agent("GET", "/snapshot");
  const items = text.trim().split("\n").slice(1);
  return Object.fromEntries(
    items.map((line) => {
      const { id, source, path } = JSON.parse(line);
      return [source ?? path, id];
    }),
  );
}

describe("a source", () => {
  it("belongs to one item", async () => {
    const [id] = await published("/taken");
    expect(await codeOf("POST", "/redirects", redirect("/taken"))).toEqual([409, "SOURCE_IN_USE"]);
    await call("PUT", `/redirects/${id}`, redirect("/taken", "/elsewhere"));
    expect(await codeOf("POST", "/redirects", redirect("/taken"))).toEqual([409, "SOURCE_IN_USE"]);
    await call("POST", "/redirects", redirect("/draft"));
    const twice = await call("POST", "/redirects", redirect("/draft"));
    expect(twice.json).toMatchObject({ code: "SOURCE_IN_USE", hint: expect.stringContaining("has it") });
    expect((await call("POST", "/pages", page("/taken"))).status).toBe(201);
    await call("POST", "/publish");
  });

  it("that is given up may be taken by another, in one publish", async () => {
    const [gone, kept] = await published("/again", "/kept");
    await call("DELETE", `/redirects/${gone}`);
    const again = (await call("POST", "/redirects", redirect("/again", "/new"))).json.draft;
    expect(await codeOf("PUT", `/redirects/${gone}`, redirect("/again"))).toEqual([409, "SOURCE_IN_USE"]);
    expect(await codeOf("DELETE", `/drafts/${gone}`)).toEqual([409, "SOURCE_IN_USE"]);
    const { json } = await call("POST", "/publish");
    expect(json.redirects).toEqual({ created: 1, updated: 0, deleted: 1 });
    expect(await served()).toMatchObject({ "/again": again.id, "/kept": kept });
  });

  it("may be swapped with another's in one publish", async () => {
    const [one, two] = await published("/swap/1", "/swap/2");
    expect(await codeOf("PUT", `/redirects/${one}`, redirect("/swap/2"))).toEqual([409, "SOURCE_IN_USE"]);
    await call("PUT", `/redirects/${one}`, redirect("/swap/other"));
    await call("PUT", `/redirects/${two}`, redirect("/swap/1"));
    expect((await call("PUT", `/redirects/${one}`, redirect("/swap/2"))).status).toBe(200);
    expect(await codeOf("DELETE", `/drafts/${two}`)).toEqual([409, "SOURCE_IN_USE"]);
    expect((await call("POST", "/publish")).json.redirects).toEqual({ created: 0, updated: 2, deleted: 0 });
    expect(await served()).toMatchObject({ "/swap/1": two, "/swap/2": one });
  });
});

describe("publishing some drafts", () => {
  it("leaves the others pending", async () => {
    const one = (await call("POST", "/redirects", redirect("/some/1"))).json.draft.id;
    const two = (await call("POST", "/pages", page("/some/2"))).json.draft.id;
    expect(await codeOf("POST", "/publish", { ids: [two, 99_999] })).toEqual([404, "DRAFT_NOT_FOUND"]);
    const { json } = await call("POST", "/publish", { ids: [two, two] });
    expect(json).toMatchObject({ redirects: { created: 0 }, pages: { created: 1 } });
    expect((await call("GET", "/drafts")).json.items).toMatchObject([{ id: one, kind: "redirect" }]);
    expect(await served()).toMatchObject({ "/some/2": two });
    expect(await codeOf("POST", "/publish", { ids: [] })).toEqual([400, "REQUEST_INVALID"]);
    await call("POST", "/publish");
  });

  it("needs those that give up a source which one of them takes", async () => {
    const [id] = await published("/needs");
    await call("DELETE", `/redirects/${id}`);
    const next = (await call("POST", "/redirects", redirect("/needs"))).json.draft.id;
    const refused = await call("POST", "/publish", { ids: [next] });
    expect([refused.status, refused.json.code]).toEqual([409, "PUBLISH_INCOMPLETE"]);
    expect(refused.json.hint).toContain(`redirect ${id}`);
    expect((await call("POST", "/publish", { ids: [next, id] })).status).toBe(200);
    expect(await served()).toMatchObject({ "/needs": next });
  });
});

describe("rolling back", () => {
  it("forgets one draft, or all of a kind", async () => {
    const [one, two] = await published("/back/1", "/back/2");
    await call("PUT", `/redirects/${one}`, redirect("/back/1", "/changed"));
    await call("DELETE", `/redirects/${two}`);
    await call("POST", "/redirects", redirect("/back/3"));
    await call("POST", "/pages", page("/back/page"));
    expect((await call("DELETE", `/drafts/${one}`)).status).toBe(204);
    expect(await codeOf("DELETE", `/drafts/${one}`)).toEqual([404, "DRAFT_NOT_FOUND"]);
    const all = await call("POST", "/redirects/rollback");
    expect(all.json).toEqual({ discarded: { create: 1, update: 0, delete: 1 } });
    expect((await call("POST", "/redirects/rollback")).json.discarded).toEqual({
      create: 0,
      update: 0,
      delete: 0,
    });
    expect((await call("GET", "/drafts")).json.items).toMatchObject([{ kind: "page", change: "CREATE" }]);
    await call("POST", "/pages/rollback");
    expect(await codeOf("POST", "/publish")).toEqual([409, "NOTHING_TO_PUBLISH"]);
  });
});

describe("what is doubtful with a redirect", () => {
  const leaving = { type: "REGEX", source: "^/(.*)/$", target: "/$1", status: "FOUND" };
  it("is told when it is saved and when it is published", async () => {
    const saved = await call("POST", "/redirects", leaving);
    expect(saved.status).toBe(201);
    expect(saved.json.warnings).toMatchObject([
      { code: "TARGET_MAY_LEAVE_SITE", severity: "warning", field: "target" },
    ]);
    await call("POST", "/redirects", { ...leaving, source: "^/(page|post)/x$", target: "/x" });
    const { json } = await call("POST", "/publish");
    expect(json.warningCount).toBe(2);
    expect(json.warnings).toMatchObject([
      { id: saved.json.draft.id, source: "^/(.*)/$", code: "TARGET_MAY_LEAVE_SITE" },
      { source: "^/(page|post)/x$", code: "PATTERN_MISSED_BY_FLECTO" },
    ]);
    await call("POST", "/redirects", redirect("/harmless"));
    expect((await call("POST", "/publish")).json).toMatchObject({ warningCount: 0, warnings: [] });
  });

  it("is counted whole and listed to a hundred", async () => {
    const rows = Array.from({ length: 150 }, (_, index) => `REGEX\t^/l${index}/(.*)/$\t/$1\t301`);
    const body = `type\tsource\ttarget\tstatus\n${rows.join("\n")}`;
    const headers = { "content-type": "text/tab-separated-values" };
    await harness.request("POST", "/api/v1/namespaces/ns/projects/prj/import", { body, headers });
    const { json } = await call("POST", "/publish");
    expect(json.warningCount).toBe(150);
    expect(json.warnings).toHaveLength(100);
  });

  it("refuses text that is none", async () => {
    expect(await codeOf("POST", "/redirects", redirect("/a", "/\ud800"))).toEqual([400, "REDIRECT_INVALID"]);
    expect(await codeOf("POST", "/pages", page("/a", "\udfff"))).toEqual([400, "PAGE_INVALID"]);
  });
});
