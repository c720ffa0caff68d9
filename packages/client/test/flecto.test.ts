import { describe, expect, it } from "vitest";
import { client, manager, page, redirect, redirects, targetOf, until } from "./harness.ts";

describe("with a Flecto Manager", () => {
  it("walks both lists, a hundred at a time, and reports", async () => {
    const fake = await manager();
    fake.flecto = true;
    fake.gzip = false;
    fake.publish([...redirects(250), page(900, "/robots.txt")]);
    const { client: made, failures } = client({ url: fake.url, push: true, compat: "flecto" });
    await made.start();
    await made.ready();
    await until(() => fake.reports.length === 1);
    expect(fake.requests).toEqual([
      "GET version",
      "GET redirects?limit=100&offset=0",
      "GET redirects?limit=100&offset=100",
      "GET redirects?limit=100&offset=200",
      "GET pages?limit=100&offset=0",
      "GET version",
      "POST agents",
    ]);
    expect(targetOf(made, "/r250")).toBe("/to/r250");
    expect(made.ruleSet?.get(251)).toMatchObject({ kind: "page", path: "/robots.txt" });
    await made.checkNow();
    expect(fake.requests.slice(-2)).toEqual(["GET version", "PATCH agents/shop-example-com/hit"]);
    expect(failures()).toEqual([]);
  });

  it("reads again when the version changed meanwhile", async () => {
    const fake = await manager();
    fake.flecto = true;
    fake.publish(redirects(10));
    fake.beforeVersion = (count) => {
      if (count === 2) fake.publish([redirect(1, "/b")]);
    };
    const { client: made } = client({ url: fake.url });
    await made.start();
    await made.ready();
    expect(made.status).toMatchObject({ version: 3, redirects: 1 });
    expect(targetOf(made, "/b")).toBe("/to/b");
  });

  it("gives up an attempt, not the work, when the version always changes", async () => {
    const fake = await manager();
    fake.flecto = true;
    fake.beforeVersion = () => fake.publish([redirect(1, "/b")]);
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await until(() => failures().includes("MANAGER_KEEPS_CHANGING"));
    fake.beforeVersion = () => {};
    await made.ready();
  });

  it("takes Flecto's defaults for what it does not know", async () => {
    const fake = await manager();
    fake.flecto = true;
    fake.publish([{ ...redirect(1, "/a"), status: "TEAPOT" as "FOUND" }]);
    const { client: made } = client({ url: fake.url });
    await made.start();
    await made.ready();
    expect(made.ruleSet?.match("h", "/a")).toMatchObject({ status: 302 });
  });

  it.each(["html", "truncate", "hang"] as const)("keeps what it has when a list fails: %s", async (fault) => {
    const fake = await manager();
    fake.flecto = true;
    fake.publish(redirects(10));
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.faults.set("pages", fault);
    fake.publish([redirect(1, "/b")]);
    await made.checkNow();
    await until(() => failures().length > 0);
    expect(made.status).toMatchObject({ version: 2, redirects: 10 });
    fake.faults.clear();
    await until(() => made.status.version === 3);
  });
});
