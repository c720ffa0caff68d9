import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const login = (json: object) => harness.request("POST", "/api/v1/sessions", { json, token: null });

describe("accounts", () => {
  it("opens the door once with the first password", async () => {
    const first = harness.manager.firstLogin;
    expect(first?.username).toBe("admin");
    const must = await login({ ...first });
    expect([must.status, must.json.code]).toEqual([403, "PASSWORD_MUST_CHANGE"]);
    const short = await login({ ...first, newPassword: "short" });
    expect([short.status, short.json.code]).toEqual([400, "PASSWORD_TOO_SHORT"]);
    const changed = await login({ ...first, newPassword: "correct horse" });
    expect(changed.status).toBe(201);
    expect((await login({ ...first })).json.code).toBe("CREDENTIALS_WRONG");
    const again = await login({ username: "admin", password: "correct horse" });
    expect(again.status).toBe(201);
    const token = again.json.token;
    expect((await harness.request("GET", "/api/v1/tokens", { token })).status).toBe(200);
    expect((await harness.request("GET", "/api/namespace/ns/project/prj/version", { token })).text).toBe(
      "1\n",
    );
    await harness.restart();
    expect((await harness.request("GET", "/api/v1/tokens", { token })).status).toBe(200);
    expect((await harness.request("DELETE", "/api/v1/sessions", { token })).status).toBe(204);
    const ended = await harness.request("GET", "/api/v1/tokens", { token });
    expect([ended.status, ended.json.code]).toEqual([401, "SESSION_REFUSED"]);
  });

  it("throttles guessing", async () => {
    const codes: string[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1)
      codes.push((await login({ username: "nobody", password: "x" })).json.code);
    expect(codes[0]).toBe("CREDENTIALS_WRONG");
    expect(codes.at(-1)).toBe("LOGIN_THROTTLED");
    const refused = await login({ username: "nobody", password: "x" });
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  });

  it("makes tokens that are shown once, and takes them back at once", async () => {
    const read = { namespace: "*", project: "*", resource: "*", action: "read" };
    const made = await harness.request("POST", "/api/v1/tokens", {
      json: { name: "made", permissions: [read] },
    });
    expect(made.status).toBe(201);
    const { id, token, preview } = made.json;
    expect(token).toMatch(/^flecto_[A-Za-z0-9_-]{43}$/);
    expect(preview).toBe(`${token.slice(0, 11)}...${token.slice(-4)}`);
    const version = () => harness.agent("GET", "/version", { token });
    expect((await version()).status).toBe(200);
    const listed = await harness.request("GET", "/api/v1/tokens");
    expect(listed.text).not.toContain(token);
    expect(listed.json.items.find((item: { id: number }) => item.id === id)).toMatchObject({
      name: "made",
      preview,
      permissions: [read],
    });
    expect((await harness.request("DELETE", `/api/v1/tokens/${id}`)).status).toBe(204);
    expect((await version()).status).toBe(401);
    expect((await harness.request("DELETE", `/api/v1/tokens/${id}`)).json.code).toBe("TOKEN_NOT_FOUND");
  });

  it("refuses a token after its end, and one that hands out more than its maker has", async () => {
    const json = { name: "old", expiresAt: "2020-01-01T00:00:00Z", permissions: [] };
    const { token } = (await harness.request("POST", "/api/v1/tokens", { json })).json;
    expect((await harness.agent("GET", "/version", { token })).json.message).toBe("invalid API token");
    const maker = await harness.manager.issueToken("maker", {
      permissions: [],
      admin: [{ section: "tokens", action: "*" }],
    });
    const more = { name: "more", admin: [{ section: "*", action: "*" }] };
    const refused = await harness.request("POST", "/api/v1/tokens", { json: more, token: maker });
    expect([refused.status, refused.json.code]).toEqual([403, "PERMISSION_MISSING"]);
  });
});
