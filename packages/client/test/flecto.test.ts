import type { Page, Redirect } from "@posthouse/protocol";
import { type FlectoManager, startFlectoManager } from "@posthouse/testkit/flecto-manager";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import type { Client } from "../src/index.ts";
import { createFileStore } from "../src/node.ts";
import {
  client,
  manager,
  redirect,
  redirects,
  targetOf,
  temporaryFolder,
  until,
  type Watched,
} from "./harness.ts";

const row = (source: string, target = `/to${source}`): Redirect => ({
  type: "BASIC",
  source,
  target,
  status: "FOUND",
});
const rows = (count: number, target?: string) =>
  Array.from({ length: count }, (_, i) => row(`/r${i + 1}`, target));
const robots: Page = {
  type: "BASIC",
  path: "/robots.txt",
  content: "a <b> & \u2028 c\n",
  contentType: "TEXT_PLAIN",
};

async function flecto(): Promise<FlectoManager> {
  const made = await startFlectoManager();
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

function agent({ url, token }: FlectoManager, options: Partial<Parameters<typeof client>[0]> = {}): Watched {
  return client({ url, token, namespace: "ns", project: "prj", push: true, ...options });
}

async function started(
  fake: FlectoManager,
  options: Partial<Parameters<typeof client>[0]> = {},
): Promise<Watched> {
  const made = agent(fake, options);
  await made.client.start();
  await made.client.ready();
  await until(() => fake.agents.size === 1);
  return made;
}

describe("with a Flecto Manager", () => {
  it("walks both lists by cursor, reports, then says that it is alive; and asks for nothing that Flecto lacks", async () => {
    const fake = await flecto();
    fake.publish({ redirects: rows(1_000), pages: [robots] });
    const { client: made, failures } = await started(fake, { compat: "flecto" });
    await made.checkNow();
    const cursor = (id: number, delivered: number) =>
      Buffer.from(JSON.stringify({ id, total: 1000, delivered })).toString("base64url");
    expect(fake.requests).toEqual([
      "GET /version",
      "GET /redirects?limit=500&offset=0",
      `GET /redirects?limit=500&cursor=${cursor(500, 500)}`,
      `GET /redirects?limit=500&cursor=${cursor(1000, 1000)}`,
      "GET /pages?limit=20&offset=0",
      "GET /version",
      "POST /agents",
      "GET /version",
      "PATCH /agents/shop-example-com/hit",
    ]);
    expect(targetOf(made, "/r1000")).toBe("/to/r1000");
    expect(made.ruleSet?.get(1_001)).toMatchObject({ kind: "page", content: robots.content });
    expect(fake.agents.get("shop-example-com")).toMatchObject({
      status: "success",
      type: "default",
      version: 2,
      error: "",
      hits: 1,
    });
    expect(failures()).toEqual([]);
    expect(made.status).toMatchObject({ version: 2, connected: false, failures: [] });
  });

  it.each([0, 1, 499, 500, 501, 1_250])(
    "walks %i redirects by offset where there is no cursor",
    async (count) => {
      const fake = await flecto();
      fake.cursors = false;
      fake.publish({ redirects: rows(count) });
      const { client: made } = await started(fake);
      expect(made.status.redirects).toBe(count);
      expect(fake.requests.filter((line) => line.startsWith("GET /redirects"))).toHaveLength(
        Math.max(1, Math.ceil(count / 500)),
      );
    },
  );

  it("loses nothing when fewer rows are given than were asked for", async () => {
    const fake = await flecto();
    fake.largestPage = 7;
    fake.publish({
      redirects: rows(50),
      pages: Array.from({ length: 15 }, (_, i) => ({ ...robots, path: `/p${i}` })),
    });
    const { client: made } = await started(fake);
    expect(made.status).toMatchObject({ redirects: 50, pages: 15 });
    expect(targetOf(made, "/r50")).toBe("/to/r50");
  });

  it("takes a list that is shorter than its total for a failure, not for the whole", async () => {
    const fake = await manager();
    fake.flecto = true;
    fake.publish(redirects(10));
    const { client: made, failures } = client({ url: fake.url });
    await made.start();
    await made.ready();
    fake.publish(redirects(12));
    fake.missingRows = 3;
    await made.checkNow();
    expect(failures()).toContain("MANAGER_ANSWER_UNUSABLE");
    expect(made.status).toMatchObject({ version: 2, redirects: 10 });
    expect(made.status.lastError?.message).toContain("it ends after 9 of 12 items");
    fake.missingRows = 0;
    await until(() => made.status.version === 3);
  });

  it("never serves a mixture of versions, whenever somebody publishes", async () => {
    const publishes = fc.array(
      fc.record({ at: fc.nat(12), first: fc.nat(40), count: fc.integer({ min: 1, max: 60 }) }),
      { maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(publishes, fc.boolean(), async (plan, cursors) => {
        await using fake = await startFlectoManager();
        fake.cursors = cursors;
        fake.largestPage = cursors ? Number.POSITIVE_INFINITY : 10;
        const versions = new Map<number, string[]>();
        const publish = (first: number, count: number): void => {
          const label = `/v${fake.version + 1}`;
          const all = Array.from({ length: count }, (_, i) => row(`/r${first + i}`, label));
          fake.publish({ redirects: all });
          versions.set(
            fake.version,
            all.map(({ source, target }) => `${source} ${target}`),
          );
        };
        publish(0, 45);
        let count = 0;
        fake.before = (line) => {
          if (line.startsWith("POST")) return;
          for (const { at, first, count: many } of plan) if (at === count) publish(first, many);
          count++;
        };
        const { client: made, events } = agent(fake);
        try {
          await made.start();
          await made.ready();
          await until(() => made.status.version === fake.version);
          await made.checkNow();
          expect(served(made)).toEqual(versions.get(made.status.version)?.toSorted());
          for (const event of events)
            if (event.type === "loaded") expect(event.redirects).toBe(versions.get(event.version)?.length);
        } finally {
          await made.stop();
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it("gives up an attempt, not the work, when the version always changes", async () => {
    const fake = await flecto();
    fake.before = (line) => line === "GET /version" && fake.publish({ redirects: [row("/b")] });
    const { client: made, failures } = agent(fake);
    await made.start();
    await until(() => failures().includes("MANAGER_KEEPS_CHANGING"));
    fake.before = () => {};
    await made.ready();
  });

  it("registers again when it was forgotten", async () => {
    const fake = await flecto();
    const { client: made, failures } = await started(fake);
    fake.agents.clear();
    await made.checkNow();
    expect(fake.requests.slice(-2)).toEqual(["PATCH /agents/shop-example-com/hit", "POST /agents"]);
    expect(fake.agents.get("shop-example-com")).toMatchObject({ status: "success", version: 1 });
    expect(failures()).toEqual([]);
  });

  it("leaves a wrong rule out and says so within the column", async () => {
    const fake = await flecto();
    const wrong = Array.from(
      { length: 20 },
      (_, i): Redirect => ({ ...row(`^/${"x".repeat(i + 50)}(`), type: "REGEX" }),
    );
    fake.publish({ redirects: [...wrong, row("/a")] });
    const { client: made, failures } = await started(fake);
    expect(targetOf(made, "/a")).toBe("/to/a");
    const told = fake.agents.get("shop-example-com");
    expect(told).toMatchObject({
      status: "error",
      version: 2,
      error: expect.stringMatching(/^20 left out\. 1: /),
    });
    expect(told?.error.length).toBe(500);
    expect(failures()).toEqual([]);
  });

  it("takes Flecto's defaults for what it does not know", async () => {
    const fake = await flecto();
    fake.publish({ redirects: [{ ...row("/a"), status: "TEAPOT" as "FOUND" }] });
    const { client: made } = await started(fake);
    expect(made.ruleSet?.match("h", "/a")).toMatchObject({ status: 302 });
  });

  it("loads an older version, and starts from disk", async () => {
    const fake = await flecto();
    const store = createFileStore(`${await temporaryFolder()}/copy`);
    fake.publish({ redirects: [row("/a")], pages: [robots] }, 9);
    const { client: made, events } = await started(fake, { store });
    fake.publish({ redirects: [row("/older")] }, 4);
    await made.checkNow();
    expect(events).toContainEqual({ type: "older", version: 4, loadedVersion: 9 });
    await until(() => events.some((event) => event.type === "saved" && event.version === 4));
    await made.stop();
    await fake[Symbol.asyncDispose]();
    const { client: again } = agent(fake, { store });
    await again.start();
    expect(targetOf(again, "/older")).toBe("/to/older");
    expect(again.status).toMatchObject({ version: 4, pages: 1, loadedFrom: "disk" });
  });

  it.each([
    [
      "a wrong token",
      (fake: FlectoManager) => Object.assign(fake, { token: "other" }),
      "MANAGER_REFUSED_TOKEN",
      "invalid API token",
    ],
    [
      "no right to read pages",
      (fake: FlectoManager) => void fake.rights.delete("page:read"),
      "MANAGER_REFUSED_TOKEN",
      "status 403: (nothing)",
    ],
    [
      "only agent:write",
      (fake: FlectoManager) => Object.assign(fake, { rights: new Set(["agent:write"]) }),
      "MANAGER_REFUSED_TOKEN",
      "403",
    ],
  ])("says what is wrong: %s", async (_name, spoil, code, text) => {
    const fake = await flecto();
    const { token } = fake;
    spoil(fake);
    const { client: made } = client({ url: fake.url, token, namespace: "ns", project: "prj" });
    await made.start();
    await until(() => made.status.lastError?.code === code);
    expect(made.status.failures.map(({ message }) => message).join()).toContain(text);
    fake.token = token;
    fake.rights = new Set(["redirect:read", "page:read", "agent:write"]);
    await made.ready();
  });

  it("says that the project is not there", async () => {
    const fake = await flecto();
    const { client: made } = client({ url: fake.url, token: fake.token, namespace: "ns", project: "none" });
    await made.start();
    await until(() => made.status.lastError?.code === "MANAGER_FAILED");
    expect(made.status.lastError?.message).toContain("record not found");
  });

  it("goes on without the right to report", async () => {
    const fake = await flecto();
    fake.rights.delete("agent:write");
    const { client: made } = agent(fake);
    await made.start();
    await until(() => made.status.lastError?.code === "AGENT_REPORT_FAILED");
    expect(made.status.version).toBe(1);
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

function served({ ruleSet }: Client): string[] {
  return [...(ruleSet?.items() ?? [])]
    .map((item) => (item.kind === "redirect" ? `${item.source} ${item.target}` : item.path))
    .toSorted();
}
