import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdminPermission, Grants, Permission } from "../src/index.ts";
import { type Harness, startHarness } from "./manager-harness.ts";

/** Every route that the server registers, as `METHOD /path`, noted while it is built. */
const routes = new Set<string>();
const noteRoutes = (message: unknown): void => {
  const { fastify } = message as { fastify: FastifyInstance };
  fastify.addHook("onRoute", ({ method, url }) => void routes.add(`${String(method)} ${url}`));
};

let harness: Harness;
beforeAll(async () => {
  subscribe("fastify.initialization", noteRoutes);
  harness = await startHarness();
  unsubscribe("fastify.initialization", noteRoutes);
});
afterAll(() => harness.close());

const right = (
  resource: Permission["resource"],
  action: Permission["action"],
  project = "prj",
): Permission => ({ namespace: "ns", project, resource, action });
const overManager = (section: AdminPermission["section"], action: AdminPermission["action"]): Grants => ({
  permissions: [],
  admin: [{ section, action }],
});
const inProject = (...permissions: Permission[]): Grants => ({ permissions, admin: [] });

/** Somebody with each right alone, an agent, and a stranger with every right in another project. */
const grants: Readonly<Record<string, Grants>> = {
  "redirect:read": inProject(right("redirect", "read")),
  "redirect:write": inProject(right("redirect", "write")),
  "page:read": inProject(right("page", "read")),
  "page:write": inProject(right("page", "write")),
  "agent:read": inProject(right("agent", "read")),
  "agent:write": inProject(right("agent", "write")),
  bothWriter: inProject(right("redirect", "write"), right("page", "write")),
  agent: inProject(right("redirect", "read"), right("page", "read"), right("agent", "write")),
  stranger: inProject(right("*", "*", "other")),
  "users:read": overManager("users", "read"),
  "users:write": overManager("users", "write"),
  "roles:read": overManager("roles", "read"),
  "roles:write": overManager("roles", "write"),
  "projects:read": overManager("projects", "read"),
  "projects:write": overManager("projects", "write"),
  "namespaces:read": overManager("namespaces", "read"),
  "namespaces:write": overManager("namespaces", "write"),
  "tokens:read": overManager("tokens", "read"),
  "tokens:write": overManager("tokens", "write"),
};

const anyRead = "redirect:read page:read agent:read agent";
const anyWrite = "redirect:write page:write bothWriter agent:write agent";
const flecto = "/api/namespace/:ns/project/:prj";
const project = "/api/v1/namespaces/:ns/projects/:prj";

/** Who gets past the check of each route: names of `grants`; `all` who have a token; `public` for everybody. */
const table: Readonly<Record<string, string>> = {
  "GET /health/ping": "public",
  "GET /health/live": "public",
  "GET /health/ready": "public",
  "GET /metrics": "public", // from this machine
  "GET /api/v1/openapi.json": "public",
  "POST /api/v1/sessions": "public",
  "DELETE /api/v1/sessions": "all",
  "GET /api/v1/me": "all",
  "PUT /api/v1/me/password": "all",
  [`GET ${flecto}/version`]: anyRead,
  [`GET ${flecto}/redirects`]: "redirect:read agent",
  [`GET ${flecto}/pages`]: "page:read agent",
  [`POST ${flecto}/agents`]: "agent:write agent",
  [`PATCH ${flecto}/agents/:name/hit`]: "agent:write agent",
  [`GET ${flecto}/snapshot`]: "agent",
  [`GET ${flecto}/changes`]: "agent",
  [`GET ${flecto}/events`]: "agent",
  "GET /api/v1/namespaces": "all",
  "POST /api/v1/namespaces": "namespaces:write",
  "PUT /api/v1/namespaces/:ns": "namespaces:write",
  "DELETE /api/v1/namespaces/:ns": "namespaces:write",
  "GET /api/v1/namespaces/:ns/projects": "all",
  "POST /api/v1/namespaces/:ns/projects": "projects:write",
  [`GET ${project}`]: anyRead,
  [`PUT ${project}`]: "projects:write",
  [`DELETE ${project}`]: "projects:write",
  [`GET ${project}/redirects`]: "redirect:read agent",
  [`POST ${project}/redirects`]: "redirect:write bothWriter",
  [`PUT ${project}/redirects/:id`]: "redirect:write bothWriter",
  [`DELETE ${project}/redirects/:id`]: "redirect:write bothWriter",
  [`GET ${project}/pages`]: "page:read agent",
  [`POST ${project}/pages`]: "page:write bothWriter",
  [`PUT ${project}/pages/:id`]: "page:write bothWriter",
  [`DELETE ${project}/pages/:id`]: "page:write bothWriter",
  [`GET ${project}/drafts`]: anyRead,
  [`DELETE ${project}/drafts/:id`]: anyWrite,
  [`POST ${project}/publish`]: anyWrite,
  [`POST ${project}/import`]: "redirect:write bothWriter",
  [`GET ${project}/export`]: "redirect:read agent",
  [`GET ${project}/agents`]: "agent:read",
  [`DELETE ${project}/agents/:name`]: "agent:write agent",
  [`GET ${project}/redirects/:id`]: "redirect:read agent",
  [`GET ${project}/pages/:id`]: "page:read agent",
  [`POST ${project}/redirects/rollback`]: "redirect:write bothWriter",
  [`POST ${project}/pages/rollback`]: "page:write bothWriter",
  [`POST ${project}/redirects/truncate`]: "projects:write",
  [`POST ${project}/pages/truncate`]: "projects:write",
  [`GET ${project}/drafts/:id`]: anyRead,
  [`GET ${project}/versions`]: anyRead,
  [`GET ${project}/versions/:version`]: anyRead,
  [`GET ${project}/versions/:version/changes`]: anyRead,
  [`GET ${project}/versions/:version/changes/:id`]: anyRead,
  [`GET ${project}/difference`]: anyRead,
  [`POST ${project}/versions/:version/restore`]: "bothWriter",
  [`GET ${project}/journal`]: anyRead,
  [`POST ${project}/journal/truncate`]: "projects:write",
  "GET /api/v1/journal": "users:read roles:read projects:read namespaces:read tokens:read",
  "GET /api/v1/tokens": "tokens:read",
  "POST /api/v1/tokens": "tokens:write",
  "PUT /api/v1/tokens/:id/permissions": "tokens:write",
  "DELETE /api/v1/tokens/:id": "tokens:write",
  "GET /api/v1/users": "users:read",
  "POST /api/v1/users": "users:write",
  "GET /api/v1/users/:id": "users:read",
  "PUT /api/v1/users/:id": "users:write",
  "PUT /api/v1/users/:id/permissions": "users:write",
  "POST /api/v1/users/:id/password": "users:write",
  "DELETE /api/v1/users/:id": "users:write",
  "GET /api/v1/roles": "roles:read",
  "POST /api/v1/roles": "roles:write",
  "PUT /api/v1/roles/:code": "roles:write",
  "DELETE /api/v1/roles/:code": "roles:write",
  "GET /api/v1/roles/:code/users": "roles:read",
  "PUT /api/v1/roles/:code/users/:id": "roles:write",
  "DELETE /api/v1/roles/:code/users/:id": "roles:write",
};

/** Names a thing that is not there, so that asking changes nothing. */
const pathOf = (url: string): string =>
  url
    .replace(":ns/projects/:prj", "ns/projects/prj")
    .replace(":ns/project/:prj", "ns/project/prj")
    .replace(":ns", "none")
    .replace(/:(id|version)/g, "99999")
    .replace(/:(name|code)/, "none");
const allowedPast = (row: string): string[] =>
  row === "all" || row === "public" ? Object.keys(grants) : row.split(" ");

describe("who may do what", () => {
  const tokens = new Map<string, string>();
  beforeAll(async () => {
    for (const [name, granted] of Object.entries(grants))
      tokens.set(name, await harness.manager.issueToken(name.replace(":", "-"), granted));
  });

  /** Whether the check let this request pass; what came of it otherwise does not matter. */
  async function passes(method: string, path: string, token: string | null): Promise<boolean> {
    const controller = new AbortController();
    const response = await fetch(harness.manager.url + path, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(method === "GET" ? {} : { "content-type": "application/json" }),
      },
      ...(method === "GET" || method === "DELETE" ? {} : { body: "[]" }),
      signal: controller.signal,
    });
    const text = response.headers.get("content-type")?.includes("event-stream") ? "" : await response.text();
    controller.abort();
    if (response.status === 401) return text.includes("CREDENTIALS_WRONG");
    return response.status !== 403 || text.includes("SESSION_NEEDED");
  }

  it("is said of every route", () => {
    expect([...routes].sort()).toEqual(Object.keys(table).sort());
  });

  it.each(Object.keys(table))("%s", async (route) => {
    const [method = "", url = ""] = route.split(" ");
    const row = table[route] ?? "";
    const path = pathOf(url);
    // Projects are removed for good: ask for one that is not there.
    const target = method === "DELETE" && url === project ? path.replace("/prj", "/none") : path;
    expect(await passes(method, target, null), "without a token").toBe(row === "public");
    const passed: string[] = [];
    for (const [name, token] of tokens) if (await passes(method, target, token)) passed.push(name);
    expect(passed.sort()).toEqual(allowedPast(row).sort());
    if (row !== "public")
      expect(await passes(method, target, "flecto_unknown"), "with a wrong token").toBe(false);
  });

  it("lists only what may be seen", async () => {
    await harness.request("POST", "/api/v1/namespaces", { json: { code: "hidden", name: "Hidden" } });
    await harness.request("POST", "/api/v1/namespaces/ns/projects", {
      json: { code: "secret", name: "Secret" },
    });
    const token = tokens.get("redirect:read") ?? "";
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
    const seen = await harness.request("GET", `${pathOf(project)}/drafts`, {
      token: tokens.get("redirect:read") ?? "",
    });
    expect(seen.json).toEqual({ items: [] });
    const token = tokens.get("redirect:write") ?? "";
    const refused = await harness.request("DELETE", `${pathOf(project)}/drafts/${draft.id}`, { token });
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
    const token = tokens.get("redirect:read") ?? "";
    const seen = await harness.request("GET", `${pathOf(project)}/versions/${version}/changes`, { token });
    expect(seen.json.items).toMatchObject([{ kind: "redirect", after: { source: "/seen" } }]);
    const all = (await harness.project("GET", `/versions/${version}/changes`)).json.items;
    expect(all).toHaveLength(2);
    const { id } = all.find(({ kind }: { kind: string }) => kind === "page");
    const refused = await harness.request("GET", `${pathOf(project)}/versions/${version}/changes/${id}`, {
      token,
    });
    expect([refused.status, refused.json.code]).toEqual([403, "PERMISSION_MISSING"]);
  });

  it("shows the events of the permitted kinds only", async () => {
    const token = tokens.get("redirect:read") ?? "";
    const events = async (query: string) =>
      (await harness.request("GET", `${pathOf(project)}/journal?${query}`, { token })).json.items;
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
