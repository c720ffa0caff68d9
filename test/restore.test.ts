import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentConfigSchema, createAgent } from "@posthouse/agent";
import { createManager, managerConfigSchema } from "@posthouse/manager";
import { createLog } from "@posthouse/service";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const log = createLog({ level: "silent", format: "json" });
const everything = {
  permissions: [{ namespace: "*", project: "*", resource: "*", action: "*" }],
  admin: [{ section: "*", action: "*" }],
} as const;
let folder: string;
let manager: ReturnType<typeof createManager>;
let agent: ReturnType<typeof createAgent>;
let token: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-restore-"));
  manager = createManager(
    managerConfigSchema.parse({ listen: "127.0.0.1:0", database: { path: join(folder, "manager.db") } }),
    { log },
  );
  await manager.start();
  token = await manager.issueToken("operator", everything);
  await api("POST", "", { code: "n", name: "N" });
  await api("POST", "/n/projects", { code: "p", name: "P" });
  const url = manager.url;
  agent = createAgent(
    agentConfigSchema.parse({
      state: join(folder, "state"),
      admin: { listen: "127.0.0.1:0" },
      projects: { shop: { manager: { url, namespace: "n", project: "p", token } } },
    }),
    { log },
  );
  await agent.start();
});
afterAll(async () => {
  await agent.stop(2_000);
  await manager.stop(2_000);
  await rm(folder, { recursive: true, force: true });
});

async function api(method: string, path: string, body?: unknown) {
  const response = await fetch(`${manager.url}/api/v1/namespaces${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(response.ok, `${method} ${path}`).toBe(true);
  return (await response.json()) as { version: number; hash: string };
}

const served = async () => {
  const response = await fetch(`http://${agent.addresses.admin}/status`);
  const { version, hash } = (
    (await response.json()) as { projects: { shop: { version: number; hash: string } } }
  ).projects.shop;
  return { version, hash };
};
const redirect = (target: string) => ({ type: "BASIC", source: "/a", target, status: "FOUND" });
const loaded = async ({ version, hash }: { version: number; hash: string }) =>
  expect.poll(served, { timeout: 15_000 }).toEqual({ version, hash });

describe("an agent", () => {
  it("follows a publish, a restore and a truncate, and verifies each", async () => {
    await api("POST", "/n/projects/p/redirects", redirect("/one"));
    const first = await api("POST", "/n/projects/p/publish");
    await loaded(first);
    await api("PUT", "/n/projects/p/redirects/1", redirect("/two"));
    await loaded(await api("POST", "/n/projects/p/publish"));
    const restored = await api("POST", "/n/projects/p/versions/2/restore");
    expect(restored).toMatchObject({ version: 4, hash: first.hash });
    await loaded(restored);
    await loaded(await api("POST", "/n/projects/p/redirects/truncate"));
  });
});
