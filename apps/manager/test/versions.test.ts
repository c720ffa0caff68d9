import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";
import { hashOfLines, readLines } from "./snapshot-hash.ts";

let harness: Harness;
let prefix = "";
let count = 0;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());
/** Each test has a project of its own. */
beforeEach(async () => {
  count += 1;
  await harness.request("POST", "/api/v1/namespaces/ns/projects", {
    json: { code: `p${count}`, name: "Project" },
  });
  prefix = `/api/v1/namespaces/ns/projects/p${count}`;
});

const call = (method: string, path: string, json?: unknown) =>
  harness.request(method, prefix + path, json === undefined ? {} : { json });
const codeOf = async (method: string, path: string, json?: unknown) => {
  const answer = await call(method, path, json);
  return [answer.status, answer.json?.code];
};
const agent = (path: string) => harness.request("GET", `/api/namespace/ns/project/p${count}${path}`);
const snapshot = async () => readLines((await agent("/snapshot")).text);
const page = (path: string, content: string) => ({ type: "BASIC", path, content, contentType: "XML" });
const add = async (source: string, target?: string): Promise<number> =>
  (await call("POST", "/redirects", redirect(source, target))).json.draft.id;
const publish = async () => (await call("POST", "/publish")).json;

describe("versions", () => {
  it("are listed with who made them and what they changed", async () => {
    await add("/a");
    const second = await publish();
    await call("PUT", "/redirects/1", redirect("/a", "/b"));
    await call("POST", "/pages", page("/p", "<x/>"));
    const third = await publish();
    const none = { created: 0, updated: 0, deleted: 0 };
    const { items } = (await call("GET", "/versions")).json;
    expect(items).toMatchObject([
      {
        version: 3,
        hash: third.hash,
        action: "PUBLISH",
        publishedBy: "test",
        redirects: { ...none, updated: 1 },
      },
      { version: 2, hash: second.hash, redirects: { ...none, created: 1 }, pages: none },
      { version: 1, hash: hashOfLines([]), action: "CREATE", redirects: none, pages: none },
    ]);
    expect(Date.parse(items[0].publishedAt)).toBeGreaterThan(Date.now() - 60_000);
    const first = (await call("GET", "/versions?limit=2")).json;
    expect(first.items).toHaveLength(2);
    expect((await call("GET", `/versions?limit=2&cursor=${first.next}`)).json).toEqual({ items: [items[2]] });
    expect((await call("GET", "/versions/3")).json).toEqual(items[0]);
    expect(await codeOf("GET", "/versions/4")).toEqual([404, "VERSION_NOT_FOUND"]);
  });

  it("tell what each of them changed, and what differs between any two", async () => {
    await add("/a"); // 1
    await add("/gone"); // 2
    await call("POST", "/pages", page("/p", "<old/>")); // 3
    await publish();
    await call("PUT", "/redirects/1", redirect("/a", "/changed"));
    await call("DELETE", "/redirects/2");
    await call("PUT", "/pages/3", page("/p", "<new/>"));
    await add("/brief"); // 4
    await publish();
    await call("PUT", "/redirects/1", redirect("/a"));
    await call("DELETE", "/redirects/4");
    await publish();

    const changes = (await call("GET", "/versions/3/changes")).json;
    const summary = { type: "BASIC", path: "/p", contentType: "XML", contentSize: 6 };
    expect(changes).toEqual({
      from: 2,
      to: 3,
      items: [
        {
          id: 1,
          kind: "redirect",
          change: "UPDATE",
          before: redirect("/a"),
          after: redirect("/a", "/changed"),
        },
        { id: 2, kind: "redirect", change: "DELETE", before: redirect("/gone") },
        { id: 3, kind: "page", change: "UPDATE", before: summary, after: summary },
        { id: 4, kind: "redirect", change: "CREATE", after: redirect("/brief") },
      ],
    });
    const part = (await call("GET", "/versions/3/changes?limit=2&cursor=1")).json;
    expect([part.items, part.next]).toEqual([changes.items.slice(1, 3), 3]);
    expect((await call("GET", "/versions/3/changes/3")).json).toEqual({
      id: 3,
      kind: "page",
      change: "UPDATE",
      before: page("/p", "<old/>"),
      after: page("/p", "<new/>"),
    });
    expect(await codeOf("GET", "/versions/4/changes/2")).toEqual([404, "CHANGE_NOT_FOUND"]);
    expect((await call("GET", "/versions/1/changes")).json.items).toEqual([]);

    const ids = async (query: string) =>
      (await call("GET", `/difference?${query}`)).json.items.map((item: { id: number; change: string }) => [
        item.id,
        item.change,
      ]);
    expect(await ids("from=2&to=4")).toEqual([
      [2, "DELETE"],
      [3, "UPDATE"],
    ]);
    expect(await ids("from=2")).toEqual(await ids("from=2&to=4"));
    expect(await ids("from=4&to=3")).toEqual([
      [1, "UPDATE"],
      [4, "CREATE"],
    ]);
    expect(await ids("from=1&to=3")).toEqual([
      [1, "CREATE"],
      [3, "CREATE"],
      [4, "CREATE"],
    ]);
    expect(await ids("from=3&to=3")).toEqual([]);
    expect(await codeOf("GET", "/difference?from=2&to=9")).toEqual([404, "VERSION_NOT_FOUND"]);
  });
});

describe("restoring a version", () => {
  it("publishes what it was as a new version", async () => {
    await add("/a");
    await add("/b");
    await call("POST", "/pages", page("/p", "<\u0000é\u2028/>"));
    const old = await publish();
    const before = await snapshot();
    expect(hashOfLines(before.lines)).toBe(old.hash);
    await call("PUT", "/redirects/1", redirect("/b2"));
    await call("DELETE", "/redirects/2");
    await call("PUT", "/pages/3", page("/p2", "<new/>"));
    await publish();
    await call("PUT", "/redirects/1", redirect("/b"));
    await publish();
    await add("/pending");
    const restored = await call("POST", "/versions/2/restore");
    expect(restored.json).toMatchObject({
      version: 5,
      hash: old.hash,
      redirects: { created: 1, updated: 1, deleted: 0 },
      pages: { created: 0, updated: 1, deleted: 0 },
      warningCount: 0,
    });
    const after = await snapshot();
    expect(after.lines).toEqual(before.lines);
    expect(after.header).toMatchObject({ version: 5, hash: old.hash, items: 3 });
    expect((await call("GET", "/versions/5")).json).toMatchObject({ action: "RESTORE", restored: 2 });
    expect((await call("GET", "/drafts")).json.items).toHaveLength(1);
    expect((await call("GET", "")).json).toMatchObject({ version: 5, redirects: 2, pages: 1 });
    expect(await codeOf("POST", "/versions/2/restore")).toEqual([409, "NOTHING_TO_RESTORE"]);
    expect(await codeOf("POST", "/versions/6/restore")).toEqual([404, "VERSION_NOT_FOUND"]);
    expect((await call("POST", "/versions/1/restore")).json).toMatchObject({ hash: hashOfLines([]) });
    expect((await call("POST", "/versions/4/restore")).status).toBe(200);
  });

  it("is refused while drafts are of what it would change", async () => {
    await add("/a");
    await publish();
    await call("DELETE", "/redirects/1");
    await publish();
    const taken = await add("/a", "/other");
    const refused = await call("POST", "/versions/2/restore");
    expect([refused.status, refused.json.code]).toEqual([409, "DRAFTS_IN_THE_WAY"]);
    expect(refused.json.hint).toContain(`draft ${taken}`);
    await call("DELETE", `/drafts/${taken}`);
    expect((await call("POST", "/versions/2/restore")).status).toBe(200);
    await call("PUT", "/redirects/1", redirect("/a", "/edited"));
    expect(await codeOf("POST", "/versions/3/restore")).toEqual([409, "DRAFTS_IN_THE_WAY"]);
  });

  it("is no second publish while one runs", async () => {
    await add("/a");
    await publish();
    await add("/b");
    const answers = await Promise.all([call("POST", "/publish"), call("POST", "/versions/1/restore")]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.json.code).toBe("PUBLISH_IN_PROGRESS");
  });
});

describe("truncating", () => {
  it("removes a kind, drafts included, as a version that can be undone", async () => {
    await add("/a");
    await call("POST", "/pages", page("/p", "<x/>"));
    const old = await publish();
    await add("/b");
    await call("PUT", "/pages/2", page("/p", "<y/>"));
    expect((await call("POST", "/redirects/truncate")).json).toMatchObject({
      version: 3,
      published: 1,
      drafts: 1,
    });
    expect((await call("GET", "")).json).toMatchObject({
      redirects: 0,
      pages: 1,
      drafts: { redirects: 0, pages: 1 },
    });
    const { header, lines } = await snapshot();
    expect([header.items, header.hash]).toEqual([1, hashOfLines(lines)]);
    expect((await call("GET", "/versions/3")).json).toMatchObject({
      action: "TRUNCATE",
      redirects: { deleted: 1 },
    });
    await call("POST", "/pages/rollback");
    expect((await call("POST", "/versions/2/restore")).json).toMatchObject({ version: 4, hash: old.hash });
    expect((await call("POST", "/pages/truncate")).json).toMatchObject({
      version: 5,
      published: 1,
      drafts: 0,
    });
    expect((await call("POST", "/pages/truncate")).json).toMatchObject({
      version: 5,
      published: 0,
      drafts: 0,
    });
  });
});

describe("agents", () => {
  it("hear of the hash with the version, and get a restored one as a change", async () => {
    await add("/a");
    const two = await publish();
    await call("PUT", "/redirects/1", redirect("/a", "/b"));
    await add("/c");
    await publish();
    await call("POST", "/versions/2/restore");
    const version = await agent("/version");
    expect([version.text, version.headers.get("etag")]).toEqual(["4\n", `"${two.hash}"`]);
    const { header, lines } = readLines((await agent("/changes?from=3")).text);
    expect(header).toMatchObject({ from: 3, to: 4, hash: two.hash, items: 2 });
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { id: 1, kind: "redirect", ...redirect("/a") },
      { id: 2, deleted: true },
    ]);
    const both = readLines((await agent("/changes?from=2")).text);
    expect(both.header).toMatchObject({ from: 2, to: 4, hash: two.hash });
  });
});

describe("any history", () => {
  const source = fc.integer({ min: 0, max: 7 }).map((number) => `/${number}`);
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), source }),
    fc.record({
      do: fc.constant("edit" as const),
      id: fc.integer({ min: 1, max: 8 }),
      source,
      target: source,
    }),
    fc.record({ do: fc.constant("remove" as const), id: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ do: fc.constant("discard" as const), id: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ do: fc.constant("publish" as const) }),
    fc.record({ do: fc.constant("publish some" as const), id: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ do: fc.constant("restore" as const), version: fc.integer({ min: 1, max: 6 }) }),
  );

  it("can be gone back to at every point, and every publish of all drafts succeeds", {
    timeout: 120_000,
  }, async () => {
    let runs = 0;
    const run = async (steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) => {
      runs += 1;
      const code = `any${runs}`;
      await harness.request("POST", "/api/v1/namespaces/ns/projects", { json: { code, name: "x" } });
      const at = (method: string, path: string, json?: unknown) =>
        harness.request(
          method,
          `/api/v1/namespaces/ns/projects/${code}${path}`,
          json === undefined ? {} : { json },
        );
      const linesNow = async () => {
        const { header, lines } = readLines(
          (await harness.request("GET", `/api/namespace/ns/project/${code}/snapshot`)).text,
        );
        expect(header.hash).toBe(hashOfLines(lines));
        expect(header.items).toBe(lines.length);
        return lines;
      };
      const history = new Map<number, string[]>([[1, []]]);
      const note = async (answer: { status: number; json: { version: number } }) => {
        if (answer.status === 200) history.set(answer.json.version, await linesNow());
        expect([200, 404, 409]).toContain(answer.status);
      };
      for (const each of steps) {
        if (each.do === "add") await at("POST", "/redirects", redirect(each.source));
        if (each.do === "edit") await at("PUT", `/redirects/${each.id}`, redirect(each.source, each.target));
        if (each.do === "remove") await at("DELETE", `/redirects/${each.id}`);
        if (each.do === "discard") await at("DELETE", `/drafts/${each.id}`);
        if (each.do === "publish some") await note(await at("POST", "/publish", { ids: [each.id] }));
        if (each.do === "restore") await note(await at("POST", `/versions/${each.version}/restore`));
        if (each.do === "publish") {
          const pending = (await at("GET", "/drafts")).json.items.length;
          const answer = await at("POST", "/publish");
          expect(answer.status).toBe(pending > 0 ? 200 : 409);
          await note(answer);
        }
      }
      await at("POST", "/redirects/rollback");
      for (const [version, lines] of history) {
        const answer = await at("POST", `/versions/${version}/restore`);
        expect([200, 409]).toContain(answer.status);
        if (answer.status === 409) expect(answer.json.code).toBe("NOTHING_TO_RESTORE");
        expect(await linesNow()).toEqual(lines);
      }
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), run), {
      numRuns: 10,
      endOnFailure: true,
    });
  });
});
