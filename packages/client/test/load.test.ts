import { describe, expect, it } from "vitest";
import { client, manager, page, redirect, redirects, targetOf, until } from "./harness.ts";

describe("loading from a Manager", () => {
  it("serves a snapshot, verified, and reports what was loaded", async () => {
    const fake = await manager();
    fake.publish([...redirects(700), page(70_000, "/robots.txt")]);
    const { client: made, failures } = client({ url: `${fake.url}/` });
    await made.start();
    await made.ready();
    expect(targetOf(made, "/r700")).toBe("/to/r700");
    expect(made.status).toMatchObject({
      version: 2,
      hash: fake.hash(),
      redirects: 700,
      pages: 1,
      loadedFrom: "manager",
    });
    await until(() => fake.reports.length === 1);
    expect(fake.reports[0]).toMatchObject({
      name: "shop-example-com",
      status: "success",
      type: "default",
      version: 2,
      error: "",
    });
    expect(fake.reports[0]?.load_duration).toBeGreaterThan(1000);
    expect(Number.isInteger(fake.reports[0]?.load_duration)).toBe(true);
    expect(failures()).toEqual([]);
  });

  it("reads uncompressed answers too", async () => {
    const fake = await manager();
    fake.gzip = false;
    fake.publish([redirect(1, "/a")]);
    const { client: made } = client({ url: fake.url });
    await made.start();
    await made.ready();
    expect(targetOf(made, "/a")).toBe("/to/a");
  });

  it("takes the changes between two versions", async () => {
    const fake = await manager();
    fake.publish(redirects(600));
    const { client: made, events, failures } = client({ url: fake.url });
    await made.start();
    await made.ready();
    const before = made.ruleSet;
    const items = redirects(600).filter(({ id }) => id !== 7 && id < 513);
    items[0] = redirect(1, "/r1", "/elsewhere");
    fake.publish([...items, page(100_000, "/new")]);
    await made.checkNow();
    expect(made.status).toMatchObject({ version: 3, hash: fake.hash(), redirects: 511, pages: 1 });
    expect(targetOf(made, "/r1")).toBe("/elsewhere");
    expect(targetOf(made, "/r7")).toBeUndefined();
    expect(before?.redirects).toBe(600);
    expect(events.filter(({ type }) => type === "loaded")).toMatchObject([
      { how: "snapshot" },
      { how: "changes" },
    ]);
    expect(fake.requests.filter((request) => request.endsWith("snapshot"))).toHaveLength(1);
    expect(failures()).toEqual([]);
  });

  it("takes the whole when the changes are no longer kept, and says hello when nothing changed", async () => {
    const fake = await manager();
    fake.publish([redirect(1, "/a")]);
    const { client: made, events } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.changesKept = false;
    fake.publish([redirect(1, "/b")]);
    await made.checkNow();
    expect(targetOf(made, "/b")).toBe("/to/b");
    await made.checkNow();
    expect(events.at(-1)).toEqual({ type: "unchanged", version: 3 });
    expect(fake.requests.at(-1)).toBe("PATCH agents/shop-example-com/hit");
    expect(fake.reports).toHaveLength(2);
  });

  it("adopts another version with the same items without fetching them", async () => {
    const fake = await manager();
    fake.publish([redirect(1, "/a")]);
    const { client: made, events } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.changesKept = false;
    fake.publish([redirect(1, "/a")]);
    await made.checkNow();
    expect(made.status.version).toBe(3);
    expect(events.findLast(({ type }) => type === "loaded")).toMatchObject({
      how: "same",
      previousVersion: 2,
    });
  });

  it("loads an older version and says so", async () => {
    const fake = await manager();
    fake.publish([redirect(1, "/a")], 9);
    const { client: made, events } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.publish([redirect(1, "/older")], 4);
    await made.checkNow();
    expect(made.status.version).toBe(4);
    expect(targetOf(made, "/older")).toBe("/to/older");
    expect(events).toContainEqual({ type: "older", version: 4, loadedVersion: 9 });
  });

  it("notices other items under the same version when the Manager tags its version", async () => {
    const fake = await manager();
    fake.versionWithTag = true;
    fake.publish([redirect(1, "/a")], 5);
    const { client: made } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.publish([redirect(1, "/b")], 5);
    await made.checkNow();
    expect(targetOf(made, "/b")).toBe("/to/b");
  });

  it("polls", async () => {
    const fake = await manager();
    fake.publish([redirect(1, "/a")]);
    const { client: made } = client({ url: fake.url, checkEveryMs: 30 });
    await made.start();
    await made.ready();
    fake.publish([redirect(1, "/b")]);
    await until(() => made.status.version === 3);
    expect(targetOf(made, "/b")).toBe("/to/b");
  });

  it("registers again when the Manager forgot this agent", async () => {
    const fake = await manager();
    const { client: made } = client({ url: fake.url });
    await made.start();
    await until(() => fake.reports.length === 1);
    fake.agentsKnown = false;
    await made.checkNow();
    await made.checkNow();
    expect(fake.reports).toHaveLength(2);
  });

  it("leaves out a wrong rule and one it does not know, serves the rest and reports it", async () => {
    const fake = await manager();
    const wrong = { ...redirect(2, "/x(", "/y"), type: "REGEX" as const };
    const unknown = { ...redirect(3, "/later"), type: "GEO" as "BASIC" };
    fake.publish([redirect(1, "/a"), wrong, unknown]);
    const { client: made } = client({ url: fake.url });
    await made.start();
    await made.ready();
    expect(targetOf(made, "/a")).toBe("/to/a");
    expect(made.status).toMatchObject({ redirects: 1, hash: fake.hash() });
    expect(made.status.problems).toBeGreaterThanOrEqual(2);
    await until(() => fake.reports.length === 1);
    expect(fake.reports[0]).toMatchObject({ status: "error", version: 2 });
    expect(fake.reports[0]?.error).toMatch(/^2 left out\. .*3: /);
    fake.publish([redirect(1, "/a"), wrong, { ...unknown, source: "/changed" }, redirect(4, "/d")]);
    await made.checkNow();
    expect(made.status).toMatchObject({ version: 3, redirects: 2, hash: fake.hash() });
  });
});
