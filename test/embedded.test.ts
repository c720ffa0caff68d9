import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse, startScript } from "@posthouse/testkit/posthouse-process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const examples = join(import.meta.dirname, "..", "examples");
const adapters = ["node", "fetch", "express", "fastify", "hono"] as const;

interface Site {
  readonly url: string;
  readonly process: PosthouseProcess;
}

let folder: string;
let manager: string;
const running: PosthouseProcess[] = [];
const sites = new Map<string, Site>();

async function readToken(file: string): Promise<string> {
  return (await readFile(join(folder, ".posthouse", file), "utf8")).trim();
}

async function startExample(name: string): Promise<void> {
  const process = startScript(join(examples, `embed-${name}`, "server.mjs"), [], {
    cwd: folder,
    env: { MANAGER_URL: manager, POSTHOUSE_AGENT_TOKEN: await readToken("agent-token"), PORT: "0" },
  });
  running.push(process);
  const [, url = ""] = await process.printed(/(http:\/\/127\.0\.0\.1:\d+)/);
  sites.set(name, { url, process });
}

async function ask(name: string, path: string, method = "GET"): Promise<[number, string | null, string]> {
  const response = await fetch(`${sites.get(name)?.url}${path}`, { redirect: "manual", method });
  return [response.status, response.headers.get("location"), await response.text()];
}

const locationOf = (name: string, path: string): Promise<string | null> =>
  ask(name, path).then(([, location]) => location);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-embedded-"));
  const ports = ["--manager-port", "0", "--site-port", "0", "--admin-port", "0"];
  const up = startPosthouse(["up", "--state", join(folder, ".posthouse"), ...ports]);
  running.push(up);
  await up.printed(/Ctrl-C stops everything/);
  [, manager = ""] = await up.printed(/Manager +(\S+)/);
  await Promise.all(adapters.map(startExample));
}, 90_000);

afterAll(async () => {
  for (const process of running) {
    process.signal("SIGKILL");
    await process.exited;
  }
  await rm(folder, { recursive: true, force: true });
});

describe.each(adapters)("examples/embed-%s with a Manager", (name) => {
  it("answers the Manager's redirects and pages, and the rest itself", async () => {
    await expect.poll(() => locationOf(name, "/old-page"), { timeout: 20_000 }).toBe("/new-page");
    expect(await ask(name, "/blog/42/hello")).toEqual([
      302,
      "/articles/hello?id=42",
      expect.stringContaining("Found"),
    ]);
    expect(await ask(name, "/robots.txt")).toEqual([200, null, "User-agent: *\nAllow: /\n"]);
    expect(await ask(name, "/robots.txt", "HEAD")).toEqual([200, null, ""]);
    expect(await ask(name, "/nothing-here")).toEqual([200, null, "the site\n"]);
  }, 60_000);
});

describe("all examples", () => {
  it("serve a change that is published while they run", async () => {
    const token = await readToken("token");
    const send = async (path: string, body?: unknown): Promise<void> => {
      const response = await fetch(`${manager}/api/v1/namespaces/demo/projects/site/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify(body ?? {}),
      });
      expect(response.ok, await response.text()).toBe(true);
    };
    await send("redirects", { type: "BASIC", source: "/fresh?a=1", target: "/baked", status: "FOUND" });
    await send("publish");
    for (const name of adapters) {
      await expect.poll(() => locationOf(name, "/fresh?a=1"), { timeout: 20_000 }).toBe("/baked");
      expect(await locationOf(name, "/fresh")).toBeNull();
    }
  }, 120_000);

  it("go on without the Manager, stop when asked, and start again from disk", async () => {
    const [up] = running;
    up?.signal("SIGKILL");
    await up?.exited;
    for (const name of adapters) {
      expect(await locationOf(name, "/fresh?a=1"), name).toBe("/baked");
      const { process } = sites.get(name) ?? {};
      process?.signal("SIGTERM");
      expect(await process?.exited, process?.output()).toBe(0);
    }
    await Promise.all(adapters.map(startExample));
    for (const name of adapters) expect(await locationOf(name, "/fresh?a=1"), name).toBe("/baked");
  }, 120_000);
});
