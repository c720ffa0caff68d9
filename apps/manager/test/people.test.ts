import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { resetPassword } from "../src/index.ts";
import { configFor, everything, type Harness, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const call = async (method: string, path: string, json?: unknown, token?: string) => {
  const body = json === undefined ? {} : { json };
  return harness.request(method, `/api/v1${path}`, token === undefined ? body : { ...body, token });
};
const nothing = { permissions: [], admin: [] };
const reads = { namespace: "ns", project: "prj", resource: "redirect", action: "read" };
const administers = [{ section: "*", action: "*" }];
const version = (token: string) => harness.agent("GET", "/version", { token });

/** A user who has chosen a password, and is logged in. */
async function person(username: string, grants: object = nothing): Promise<{ id: number; token: string }> {
  const names = { firstName: "F", lastName: "L" };
  const made = await call("POST", "/users", { username, ...names, ...nothing, ...grants });
  expect(made.status).toBe(201);
  return { id: made.json.id, token: await logIn(username, made.json.password, `${username} password`) };
}

async function logIn(username: string, password: string, newPassword?: string): Promise<string> {
  const { status, json } = await harness.request("POST", "/api/v1/sessions", {
    json: { username, password, ...(newPassword === undefined ? {} : { newPassword }) },
    token: null,
  });
  expect(status).toBe(201);
  return json.token;
}

describe("people", () => {
  it("are made with a one-time password, found, renamed, and removed", async () => {
    const { id, token } = await person("ada@example.com");
    const me = await call("GET", "/me", undefined, token);
    expect(me.json).toMatchObject({ kind: "user", name: "ada@example.com", permissions: [], admin: [] });
    const user = { id, username: "ada@example.com", firstName: "F", active: true, mustChangePassword: false };
    expect((await call("GET", "/users?search=ADA")).json.items).toMatchObject([user]);
    expect((await call("GET", "/users?active=false")).json.items).toEqual([]);
    expect((await call("PUT", `/users/${id}`, { firstName: "Ada" })).status).toBe(204);
    expect((await call("GET", `/users/${id}`)).json.firstName).toBe("Ada");
    const again = await call("POST", "/users", {
      username: "ada@example.com",
      firstName: "A",
      lastName: "B",
    });
    expect([again.status, again.json.code]).toEqual([409, "USER_EXISTS"]);
    for (const username of ["a b", "a@b", "x".repeat(101)])
      expect((await call("POST", "/users", { username, firstName: "A", lastName: "B" })).status).toBe(400);
    expect((await call("DELETE", `/users/${id}`)).status).toBe(204);
    expect((await call("GET", "/me", undefined, token)).status).toBe(401);
    expect((await call("GET", `/users/${id}`)).json.code).toBe("USER_NOT_FOUND");
  });

  it("come in pages", async () => {
    const first = await call("GET", "/users?limit=1");
    expect(first.json.items).toHaveLength(1);
    await person("paged");
    const { next } = (await call("GET", "/users?limit=1")).json;
    expect((await call("GET", `/users?limit=1&cursor=${next}`)).json.items).toMatchObject([
      { username: "paged" },
    ]);
  });

  it("lose and gain rights with their next request", async () => {
    const { id, token } = await person("berta");
    expect((await version(token)).status).toBe(403);
    await call("PUT", `/users/${id}/permissions`, { permissions: [reads] });
    expect((await version(token)).status).toBe(200);
    await call("PUT", `/users/${id}/permissions`, nothing);
    expect((await version(token)).status).toBe(403);
    await call("POST", "/roles", { code: "readers", permissions: [reads] });
    await call("PUT", `/roles/readers/users/${id}`);
    expect((await version(token)).status).toBe(200);
    expect((await call("GET", `/users/${id}`)).json.roles).toEqual(["readers"]);
    await call("PUT", "/roles/readers", nothing);
    expect((await version(token)).status).toBe(403);
    await call("PUT", "/roles/readers", { permissions: [reads] });
    expect((await call("GET", "/roles/readers/users")).json.items).toEqual([{ id, username: "berta" }]);
    await call("DELETE", `/roles/readers/users/${id}`);
    expect((await version(token)).status).toBe(403);
    await call("PUT", `/roles/readers/users/${id}`);
    await call("DELETE", "/roles/readers");
    expect((await version(token)).status).toBe(403);
    await call("PUT", `/users/${id}`, { active: false });
    const gone = await version(token);
    expect([gone.status, gone.text]).toEqual([401, '{"message":"user not found"}\n']);
    const refused = await harness.request("POST", "/api/v1/sessions", {
      json: { username: "berta", password: "berta password" },
      token: null,
    });
    expect([refused.status, refused.json.code]).toEqual([403, "USER_INACTIVE"]);
  });

  it("change their own password, which ends their other sessions", async () => {
    const { token } = await person("carla");
    const other = await logIn("carla", "carla password");
    const change = (password: string, newPassword: string, by: string) =>
      call("PUT", "/me/password", { password, newPassword }, by);
    expect((await change("wrong", "another password", token)).json.code).toBe("CREDENTIALS_WRONG");
    expect((await change("carla password", "short", token)).json.code).toBe("PASSWORD_TOO_SHORT");
    expect((await change("carla password", "another password", token)).status).toBe(204);
    expect((await call("GET", "/me", undefined, token)).status).toBe(200);
    expect((await call("GET", "/me", undefined, other)).status).toBe(401);
    await logIn("carla", "another password");
    expect((await change("a", "b", harness.admin)).json.code).toBe("SESSION_NEEDED");
  });

  it("get a new one-time password from an administrator", async () => {
    const { id, token } = await person("dora");
    const reset = await call("POST", `/users/${id}/password`);
    expect(reset.json).toMatchObject({ username: "dora" });
    expect((await call("GET", "/me", undefined, token)).status).toBe(401);
    await logIn("dora", reset.json.password, "a third password");
  });

  it("hand out no more than they have, and touch nobody who has more", async () => {
    const sections = ["users", "roles", "tokens"].map((section) => ({ section, action: "*" }));
    const { token } = await person("eve", { permissions: [reads], admin: sections });
    const admin = (await call("GET", "/users?search=admin")).json.items[0];
    await call("POST", "/roles", { code: "mighty", admin: administers });
    const { json: made } = await call("POST", "/tokens", { name: "weak" });
    const tries: [string, string, object?][] = [
      ["POST", "/users", { username: "x", firstName: "A", lastName: "B", admin: administers }],
      ["POST", "/roles", { code: "x", admin: administers }],
      ["POST", "/tokens", { name: "x", admin: administers }],
      ["PUT", `/tokens/${made.id}/permissions`, { admin: administers }],
      ["PUT", "/roles/mighty", nothing],
      ["DELETE", "/roles/mighty"],
      ["PUT", `/roles/mighty/users/${admin.id}`],
      ["PUT", `/users/${admin.id}/permissions`, nothing],
      ["PUT", `/users/${admin.id}`, { active: false }],
      ["POST", `/users/${admin.id}/password`],
      ["DELETE", `/users/${admin.id}`],
    ];
    for (const [method, path, json] of tries) {
      const { status, json: answer } = await call(method, path, json, token);
      expect([status, answer?.code], `${method} ${path}`).toEqual([403, "PERMISSION_MISSING"]);
    }
    const own = { name: "own", permissions: [reads] };
    expect((await call("POST", "/tokens", own, token)).status).toBe(201);
  });

  it("always have an administrator among them", async () => {
    const { items } = (await call("GET", "/users?limit=1000")).json;
    const admin = items.find((user: { username: string }) => user.username === "admin");
    const refusals: [string, string, object?][] = [
      ["DELETE", `/users/${admin.id}`],
      ["PUT", `/users/${admin.id}`, { active: false }],
      ["PUT", `/users/${admin.id}/permissions`, nothing],
    ];
    for (const [method, path, json] of refusals) {
      const { status, json: answer } = await call(method, path, json);
      expect([status, answer?.code], `${method} ${path}`).toEqual([409, "LAST_ADMINISTRATOR"]);
    }
    const { id } = await person("frida");
    await call("PUT", `/roles/mighty/users/${id}`);
    expect((await call("PUT", `/users/${admin.id}`, { active: false })).status).toBe(204);
    for (const [method, path, json] of [
      ["DELETE", "/roles/mighty"],
      ["DELETE", `/roles/mighty/users/${id}`],
      ["PUT", "/roles/mighty", nothing],
      ["DELETE", `/users/${id}`],
    ] as const)
      expect((await call(method, path, json)).json?.code, `${method} ${path}`).toBe("LAST_ADMINISTRATOR");
    await call("PUT", `/users/${admin.id}`, { active: true });
    expect((await call("DELETE", "/roles/mighty")).status).toBe(204);
  });

  it("names what is not there, or is there already", async () => {
    const codes: string[] = [];
    await call("POST", "/roles", { code: "twice" });
    for (const [method, path, json] of [
      ["POST", "/roles", { code: "twice" }],
      ["PUT", "/roles/none", nothing],
      ["DELETE", "/roles/none"],
      ["GET", "/roles/none/users"],
      ["PUT", "/roles/twice/users/9999"],
      ["DELETE", "/roles/twice/users/9999"],
      ["PUT", "/users/9999", {}],
      ["PUT", "/tokens/9999/permissions", nothing],
    ] as const)
      codes.push((await call(method, path, json)).json.code);
    expect(codes).toEqual([
      ...["ROLE_EXISTS", "ROLE_NOT_FOUND", "ROLE_NOT_FOUND", "ROLE_NOT_FOUND"],
      ...["USER_NOT_FOUND", "USER_NOT_FOUND", "USER_NOT_FOUND", "TOKEN_NOT_FOUND"],
    ]);
    expect((await call("GET", "/roles")).json.items).toMatchObject([{ code: "twice", members: 0 }]);
  });
});

describe("a token", () => {
  it("may do something else at once, streams included", async () => {
    const { json } = await call("POST", "/tokens", {
      name: "changing",
      permissions: [{ ...reads, resource: "*" }],
    });
    const token = json.token as string;
    expect((await version(token)).status).toBe(200);
    const stream = await fetch(`${harness.manager.url}/api/namespace/ns/project/prj/events`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(stream.status).toBe(200);
    const ended = stream.text(); // resolves when the Manager ends the stream
    expect((await call("PUT", `/tokens/${json.id}/permissions`, nothing)).status).toBe(204);
    expect(await ended).toContain("event: version");
    expect((await version(token)).status).toBe(403);
    expect((await call("GET", "/tokens")).json.items).toContainEqual(
      expect.objectContaining({ name: "changing", permissions: [] }),
    );
  });

  it("travels in the header that the configuration names", async () => {
    const other = await startHarness({}, { authorization_header: "X-Token" });
    try {
      const path = "/api/namespace/ns/project/prj/version";
      const headers = { "x-token": `Bearer ${other.admin}` };
      expect((await other.request("GET", path, { token: null, headers })).text).toBe("1\n");
      expect((await other.request("GET", path)).status).toBe(401);
    } finally {
      await other.close();
    }
  });
});

describe("the journal of the Manager itself", () => {
  it("says who changed whom, and which log-ins were refused", async () => {
    await harness.request("POST", "/api/v1/sessions", {
      json: { username: "x", password: "y" },
      token: null,
    });
    await expect
      .poll(async () => (await call("GET", "/journal?resource=SESSION")).json.items)
      .toMatchObject([{ action: "REFUSE", actor: "system" }]);
    const { items } = (await call("GET", "/journal?limit=1000")).json;
    const seen = new Set(
      items.map(({ resource, action }: { resource: string; action: string }) => `${resource} ${action}`),
    );
    for (const resource of ["USER", "ROLE", "TOKEN"])
      for (const action of ["CREATE", "UPDATE", "DELETE"])
        if (`${resource} ${action}` !== "TOKEN DELETE") expect(seen).toContain(`${resource} ${action}`);
    for (const event of ["NAMESPACE CREATE", "PROJECT CREATE"]) expect(seen).toContain(event);
    expect(JSON.stringify(items)).not.toMatch(/flecto_[A-Za-z0-9_-]{20}|"password":/);
  });
});

describe("a lost password", () => {
  it("is replaced while the Manager is stopped", async () => {
    const config = configFor(harness.databasePath);
    await expect(resetPassword(config)).rejects.toMatchObject({ code: "DATABASE_IN_USE" });
    await harness.manager.stop(5_000);
    await expect(resetPassword(config, "nobody")).rejects.toMatchObject({ code: "USER_NOT_FOUND" });
    await expect(resetPassword(configFor("/nowhere/x.db"))).rejects.toMatchObject({
      code: "DATABASE_CANNOT_OPEN",
    });
    const { username, password } = await resetPassword(config);
    expect(username).toBe("admin");
    await harness.restart();
    await logIn(username, password, "found again");
  }, 60_000);
});

describe("whoever may do everything", () => {
  it("may hand out everything", async () => {
    const token = await harness.manager.issueToken("everything", {
      permissions: [],
      admin: everything.admin,
    });
    const all = { name: "all", ...everything };
    expect((await call("POST", "/tokens", all, token)).status).toBe(201);
  });
});
