import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
  const add = (json: object) => harness.project("POST", "/redirects", json);
  const publish = () => harness.project("POST", "/publish");
  await add(redirect("/c", "/one")); // 1
  await add({ ...redirect("/b"), type: "REGEX" }); // 2
  await publish();
  await add({ ...redirect("/a"), status: "MOVED_PERMANENT" }); // 3
  await add(redirect("/d")); // 4
  await publish();
  await harness.project("PUT", "/redirects/1", redirect("/c", "/ONE/two"));
  await publish();
  await harness.project("PUT", "/redirects/2", { ...redirect("/e"), type: "REGEX" });
  await harness.project("DELETE", "/redirects/3");
  await add(redirect("/0", "/new")); // 5
  await add({ ...redirect("/f"), type: "REGEX" }); // 6
  await harness.project("POST", "/pages", {
    type: "BASIC",
    path: "/robots.txt",
    content: "Disallow: é",
    contentType: "TEXT_PLAIN",
  }); // 7
});
afterAll(() => harness.close());

/** Ids in the order of the list, walked a few at a time. */
async function ids(query: string, limit = 2): Promise<number[]> {
  const found: number[] = [];
  let cursor = "";
  for (;;) {
    const { status, json } = await harness.project("GET", `/redirects?limit=${limit}&${query}${cursor}`);
    expect(status).toBe(200);
    found.push(...json.items.map(({ id }: { id: number }) => id));
    if (json.next === undefined) return found;
    cursor = `&cursor=${encodeURIComponent(json.next)}`;
  }
}

describe("the list of redirects", () => {
  it.each([1, 2, 3, 100])("is walked by id, source or newest change, %i at a time", async (limit) => {
    expect(await ids("", limit)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await ids("order=source", limit)).toEqual([5, 3, 2, 1, 4, 6]);
    expect(await ids("order=newest", limit)).toEqual([6, 5, 1, 4, 3, 2]);
  });

  it.each(["id", "source", "newest"])("is filtered by what is pending, by %s", async (order) => {
    const sorted = async (draft: string) => (await ids(`order=${order}&draft=${draft}`)).sort();
    expect(await sorted("none")).toEqual([1, 4]);
    expect(await sorted("any")).toEqual([2, 3, 5, 6]);
    expect(await sorted("CREATE")).toEqual([5, 6]);
    expect(await sorted("UPDATE")).toEqual([2]);
    expect(await sorted("DELETE")).toEqual([3]);
  });

  it("is filtered by type and status, published or pending", async () => {
    expect(await ids("type=REGEX")).toEqual([2, 6]);
    expect(await ids("type=BASIC,BASIC_HOST")).toEqual([1, 3, 4, 5]);
    expect(await ids("status=MOVED_PERMANENT")).toEqual([3]);
    expect(await ids("type=BASIC&draft=CREATE")).toEqual([5]);
  });

  it("is searched in source and target, published or pending", async () => {
    expect(await ids("search=one")).toEqual([1]);
    expect(await ids(`search=${encodeURIComponent("/E")}`)).toEqual([2]);
    expect(await ids(`search=${encodeURIComponent("/new")}`)).toEqual([5]);
    expect(await ids("search=none")).toEqual([]);
  });

  it("shows what is published beside what is pending", async () => {
    const { items } = (await harness.project("GET", "/redirects")).json;
    expect(items).toEqual([
      { id: 1, ...redirect("/c", "/ONE/two"), draft: null, version: 4 },
      {
        id: 2,
        ...redirect("/b"),
        type: "REGEX",
        draft: "UPDATE",
        version: 2,
        pending: { ...redirect("/e"), type: "REGEX" },
      },
      { id: 3, ...redirect("/a"), status: "MOVED_PERMANENT", draft: "DELETE", version: 3 },
      { id: 4, ...redirect("/d"), draft: null, version: 3 },
      { id: 5, ...redirect("/0", "/new"), draft: "CREATE" },
      { id: 6, ...redirect("/f"), type: "REGEX", draft: "CREATE" },
    ]);
    for (const item of items)
      expect((await harness.project("GET", `/redirects/${item.id}`)).json).toEqual(item);
  });

  it("refuses what it does not know", async () => {
    for (const query of ["cursor=xyz", "order=size", "type=FANCY", "draft=maybe", "limit=0"]) {
      const { status, json } = await harness.project("GET", `/redirects?${query}`);
      expect([query, status, json.code]).toEqual([query, 400, "REQUEST_INVALID"]);
    }
    expect((await harness.project("GET", "/redirects/7")).json.code).toBe("ITEM_NOT_FOUND");
  });
});

describe("pages and drafts", () => {
  const values = { type: "BASIC", path: "/robots.txt", contentType: "TEXT_PLAIN" };
  it("are listed with the size of their content, and given whole one by one", async () => {
    const list = (await harness.project("GET", "/pages?search=disallow")).json;
    expect(list.items).toEqual([{ id: 7, ...values, contentSize: 12, draft: "CREATE" }]);
    expect((await harness.project("GET", "/pages/7")).json).toEqual({
      id: 7,
      ...values,
      content: "Disallow: é",
      draft: "CREATE",
    });
    const { items } = (await harness.project("GET", "/drafts?change=CREATE&limit=2&cursor=5")).json;
    expect(items).toMatchObject([
      { id: 6, kind: "redirect", redirect: { source: "/f" } },
      { id: 7, kind: "page", page: { ...values, contentSize: 12 } },
    ]);
    expect(items[1].page).not.toHaveProperty("content");
    expect((await harness.project("GET", "/drafts/7")).json.draft.page.content).toBe("Disallow: é");
    expect((await harness.project("GET", "/drafts/2")).json).toMatchObject({
      draft: { change: "UPDATE", redirect: { source: "/e" } },
      published: { source: "/b" },
    });
    expect((await harness.project("GET", "/drafts/1")).json.code).toBe("DRAFT_NOT_FOUND");
  });
});
