/** The agent as a process, with a Manager that answers exactly as Flecto's does. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redirect } from "@posthouse/protocol";
import { type AgentProcess, startAgentProcess } from "@posthouse/testkit/agent-process";
import { type FlectoManager, startFlectoManager } from "@posthouse/testkit/flecto-manager";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let folder: string;
let flecto: FlectoManager;
let agent: AgentProcess;

const redirect = (source: string, target: string, type: Redirect["type"] = "BASIC"): Redirect => ({
  type,
  source,
  target,
  status: "FOUND",
});
const many = Array.from({ length: 1_200 }, (_, index) => redirect(`/r${index}`, `/to/${index}`));
const pages = [
  { type: "BASIC", path: "/robots.txt", content: "User-agent: <*>\n", contentType: "TEXT_PLAIN" },
] as const;

const start = (): Promise<AgentProcess> =>
  startAgentProcess({
    folder,
    project: "shop",
    config: {
      name: "web-1.example.com",
      state: join(folder, "state"),
      projects: {
        shop: {
          manager: {
            url: flecto.url,
            namespace: "ns",
            project: "prj",
            token: flecto.token,
            check_every: "1s",
          },
          compat: "flecto",
        },
      },
    },
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-flecto-"));
  flecto = await startFlectoManager();
  flecto.publish({ redirects: many, pages });
  agent = await start();
}, 60_000);

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await flecto?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const told = () => flecto.agents.get("web-1-example-com");

describe("an agent with Flecto's Manager", () => {
  it("serves what is published and shows up, its name made safe", async () => {
    await until("the last rule is served", async () => (await agent.ask("/r1199")) === "302 /to/1199");
    expect(await agent.ask("/robots.txt")).toBe("200 User-agent: <*>");
    await until("it is registered", async () => told()?.version === 2);
    expect(told()).toMatchObject({ status: "success", type: "default", error: "" });
    expect(Number.isInteger(told()?.load_duration)).toBe(true);
    expect(flecto.requests.join()).not.toMatch(/snapshot|changes|events/);
  });

  it("takes up a change at its next check, and leaves a wrong rule out", async () => {
    flecto.publish({ redirects: [...many, redirect("/new(", "/x", "REGEX"), redirect("/fresh", "/new")] });
    await until("the change is served", async () => (await agent.ask("/fresh")) === "302 /new");
    await until("it is told", async () => told()?.version === 3);
    expect(told()).toMatchObject({ status: "error", error: expect.stringMatching(/^1 left out\. 1201: /) });
    const { shop } = (await agent.status()).projects;
    expect(shop).toMatchObject({ version: 3, redirects: 1_201, connected: false, failures: [] });
  });

  it("registers again when it was removed", async () => {
    flecto.agents.clear();
    await until("it is there again", async () => told() !== undefined);
  });

  it("starts from its disk without the Manager, and catches up", async () => {
    agent.process.signal("SIGTERM");
    expect(await agent.process.exited).toBe(0);
    flecto.before = (line) => (line.startsWith("GET /version") ? new Promise(() => {}) : undefined);
    agent = await start();
    await until("it serves", async () => (await agent.ask("/fresh")) === "302 /new");
    expect((await agent.status()).projects.shop).toMatchObject({ version: 3, loadedFrom: "disk" });
    flecto.before = () => {};
    flecto.publish({ redirects: [redirect("/last", "/one")] });
    await until("it has caught up", async () => (await agent.ask("/last")) === "302 /one", 40_000);
    expect(await agent.ask("/fresh")).toMatch(/^404/);
  }, 60_000);
});
