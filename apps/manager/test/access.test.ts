import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdminPermission, Permission } from "../src/index.ts";
import { type Harness, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const right = (
  resource: Permission["resource"],
  action: Permission["action"],
  project = "prj",
): Permission => ({
  namespace: "ns",
  project,
  resource,
  action,
});
const grants: Record<string, { permissions: Permission[]; admin: AdminPermission[] }> = {
  redirectReader: { permissions: [right("redirect", "read")], admin: [] },
  redirectWriter: { permissions: [right("redirect", "write")], admin: [] },
  pageReader: { permissions: [right("page", "read")], admin: [] },
  pageWriter: { permissions: [right("page", "write")], admin: [] },
  agent: {
    permissions: [right("redirect", "read"), right("page", "read"), right("agent", "write")],
    admin: [],
  },
  agentReader: { permissions: [right("agent", "read")], admin: [] },
  bothWriter: { permissions: [right("redirect", "write"), right("page", "write")], admin: [] },
  stranger: { permissions: [right("*", "*", "other")], admin: [] },
  tokens: { permissions: [], admin: [{ section: "tokens", action: "*" }] },
  namespaces: { permissions: [], admin: [{ section: "namespaces", action: "write" }] },
  projects: { permissions: [], admin: [{ section: "projects", action: "write" }] },
};

const flecto = "/api/namespace/ns/project/prj";
const project = "/api/v1/namespaces/ns/projects/prj";
const anyReader = ["redirectReader", "pageReader", "agent", "agentReader"];
const table: [string, string, string[]][] = [
  ["GET", `${flecto}/version`, anyReader],
  ["GET", `${flecto}/redirects`, ["redirectReader", "agent"]],
  ["GET", `${flecto}/pages`, ["pageReader", "agent"]],
  ["POST", `${flecto}/agents`, ["agent"]],
  ["PATCH", `${flecto}/agents/x/hit`, ["agent"]],
  ["GET", `${flecto}/snapshot`, ["agent"]],
  ["GET", `${flecto}/changes?from=1`, ["agent"]],
  ["GET", project, anyReader],
  ["GET", `${project}/redirects`, ["redirectReader", "agent"]],
  ["POST", `${project}/redirects`, ["redirectWriter", "bothWriter"]],
  ["PUT", `${project}/redirects/1`, ["redirectWriter", "bothWriter"]],
  ["DELETE", `${project}/redirects/1`, ["redirectWriter", "bothWriter"]],
  ["GET", `${project}/pages`, ["pageReader", "agent"]],
  ["POST", `${project}/pages`, ["pageWriter", "bothWriter"]],
  ["PUT", `${project}/pages/1`, ["pageWriter", "bothWriter"]],
  ["DELETE", `${project}/pages/1`, ["pageWriter", "bothWriter"]],
  ["GET", `${project}/drafts`, anyReader],
  ["DELETE", `${project}/drafts/1`, ["redirectWriter", "pageWriter", "agent", "bothWriter"]],
  ["POST", `${project}/publish`, ["redirectWriter", "pageWriter", "agent", "bothWriter"]],
  ["POST", `${project}/import`, ["redirectWriter", "bothWriter"]],
  ["GET", `${project}/redirects/1`, ["redirectReader", "agent"]],
  ["GET", `${project}/pages/1`, ["pageReader", "agent"]],
  ["POST", `${project}/redirects/rollback`, ["redirectWriter", "bothWriter"]],
  ["POST", `${project}/pages/rollback`, ["pageWriter", "bothWriter"]],
  ["POST", `${project}/redirects/truncate`, ["projects"]],
  ["POST", `${project}/pages/truncate`, ["projects"]],
  ["GET", `${project}/drafts/1`, anyReader],
  ["GET", `${project}/versions`, anyReader],
  ["GET", `${project}/versions/1`, anyReader],
  ["GET", `${project}/versions/1/changes`, anyReader],
  ["GET", `${project}/versions/1/changes/1`, anyReader],
  ["GET", `${project}/difference?from=1`, anyReader],
  ["POST", `${project}/versions/1/restore`, ["bothWriter"]],
  ["GET", `${project}/journal`, anyReader],
  ["POST", `${project}/journal/truncate`, ["projects"]],
  ["GET", "/api/v1/journal", ["tokens"]],
  ["GET", `${project}/agents`, ["agentReader"]],
  ["GET", "/api/v1/tokens", ["tokens"]],
  ["POST", "/api/v1/tokens", ["tokens"]],
  ["DELETE", "/api/v1/tokens/999", ["tokens"]],
  ["POST", "/api/v1/namespaces", ["namespaces"]],
  ["POST", "/api/v1/namespaces/ns/projects", ["projects"]],
];

describe("who may do what", () => {
  const tokens = new Map<string, string>();
  beforeAll(async () => {
    for (const [name, granted] of Object.entries(grants))
      tokens.set(name, await harness.manager.issueToken(name, granted));
  });

  it.each(table)("%s %s", async (method, path, allowed) => {
    const body = method === "POST" || method === "PUT" ? { json: {} } : {};
    expect((await harness.request(method, path, { ...body, token: null })).status).toBe(401);
    const passed: string[] = [];
    for (const [name, token] of tokens)
      if ((await harness.request(method, path, { ...body, token })).status !== 403) passed.push(name);
    expect(passed).toEqual(allowed);
  });

  it("lists only what may be seen", async () => {
    await harness.request("POST", "/api/v1/namespaces", { json: { code: "hidden", name: "Hidden" } });
    await harness.request("POST", "/api/v1/namespaces/ns/projects", {
      json: { code: "secret", name: "Secret" },
    });
    const token = tokens.get("redirectReader") ?? "";
    expect((await harness.request("GET", "/api/v1/namespaces", { token })).json.items).toMatchObject([
      { code: "ns" },
    ]);
    const projects = await harness.request("GET", "/api/v1/namespaces/ns/projects", { token });
    expect(projects.json.items).toEqual([{ code: "prj", name: "Project" }]);
    expect((await harness.request("GET", "/api/v1/namespaces/hidden/projects", { token })).status).toBe(404);
    const nowhere = await harness.request("GET", "/api/v1/namespaces/none/projects");
    expect([nowhere.status, nowhere.json.code]).toEqual([404, "NAMESPACE_NOT_FOUND"]);
  });

  it("shows and discards drafts of the permitted kinds only", async () => {
    const page = { type: "BASIC", path: "/p", content: "", contentType: "XML" };
    const { draft } = (await harness.project("POST", "/pages", page)).json;
    const seen = await harness.request("GET", `${project}/drafts`, {
      token: tokens.get("redirectReader") ?? "",
    });
    expect(seen.json).toEqual({ items: [] });
    const token = tokens.get("redirectWriter") ?? "";
    const refused = await harness.request("DELETE", `${project}/drafts/${draft.id}`, { token });
    expect([refused.status, refused.json.code]).toEqual([403, "PERMISSION_MISSING"]);
  });

  it("shows the changes of the permitted kinds only", async () => {
    await harness.project("POST", "/redirects", {
      type: "BASIC",
      source: "/seen",
      target: "/t",
      status: "FOUND",
    });
    const { version } = (await harness.project("POST", "/publish")).json;
    const token = tokens.get("redirectReader") ?? "";
    const seen = await harness.request("GET", `${project}/versions/${version}/changes`, { token });
    expect(seen.json.items).toMatchObject([{ kind: "redirect", after: { source: "/seen" } }]);
    const all = (await harness.project("GET", `/versions/${version}/changes`)).json.items;
    expect(all).toHaveLength(2);
    const { id } = all.find(({ kind }: { kind: string }) => kind === "page");
    const refused = await harness.request("GET", `${project}/versions/${version}/changes/${id}`, { token });
    expect([refused.status, refused.json.code]).toEqual([403, "PERMISSION_MISSING"]);
  });

  it("shows the events of the permitted kinds only", async () => {
    const token = tokens.get("redirectReader") ?? "";
    const events = async (query: string) =>
      (await harness.request("GET", `${project}/journal?${query}`, { token })).json.items;
    expect((await events("action=CREATE")).map(({ resource }: { resource: string }) => resource)).toEqual([
      "REDIRECT",
    ]);
    expect(await events("resource=PAGE")).toEqual([]);
    expect(await events("resource=PROJECT")).not.toEqual([]);
  });

  it("describes itself and refuses what does not exist", async () => {
    const { json } = await harness.request("GET", "/api/v1/openapi.json", { token: null });
    expect(json.paths["/api/v1/namespaces/{ns}/projects/{prj}/publish"].post).toBeDefined();
    const missing = await harness.request("GET", "/api/v1/none");
    expect([missing.status, missing.json.code]).toEqual([404, "ROUTE_NOT_FOUND"]);
  });

  it("tells its numbers and its health", async () => {
    const metrics = await harness.request("GET", "/metrics", { token: null });
    expect(metrics.text).toContain('posthouse_manager_requests_total{method="GET"');
    const forwarded = { token: null, headers: { "x-forwarded-for": "192.0.2.1" } };
    expect((await harness.request("GET", "/metrics", forwarded)).status).toBe(401);
    for (const path of ["/health/live", "/health/ready"])
      expect((await harness.request("GET", path, { token: null })).status).toBe(200);
  });

  it("names what exists already", async () => {
    for (const [path, json, code] of [
      ["/api/v1/namespaces", { code: "ns", name: "x" }, "NAMESPACE_EXISTS"],
      ["/api/v1/namespaces/ns/projects", { code: "prj", name: "x" }, "PROJECT_EXISTS"],
      ["/api/v1/tokens", { name: "agent" }, "TOKEN_EXISTS"],
    ] as const) {
      const answer = await harness.request("POST", path, { json });
      expect([answer.status, answer.json.code]).toEqual([409, code]);
    }
    const nothing = await harness.request("GET", "/api/v1/namespaces/ns/projects/none");
    expect([nothing.status, nothing.json.code]).toEqual([404, "PROJECT_NOT_FOUND"]);
  });
});
