import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
  for (let index = 1; index <= 5; index += 1)
    await harness.project("POST", "/redirects", redirect(`/s${index}`, "/t"));
  const content = 'a<b>&"\u2028';
  await harness.project("POST", "/pages", { type: "BASIC", path: "/p", content, contentType: "XML" });
  await harness.project("POST", "/publish");
});
afterAll(() => harness.close());

const item = (index: number) => `{"type":"BASIC","source":"/s${index}","target":"/t","status":"FOUND"}`;
const report = {
  name: "a1",
  status: "success",
  type: "default",
  version: 3,
  load_duration: 1_500_000,
  error: "",
};

describe("Flecto's agent API", () => {
  it("gives the version as a bare number", async () => {
    const { status, text, headers } = await harness.agent("GET", "/version");
    expect([status, text, headers.get("content-type"), headers.get("posthouse-sync")]).toEqual([
      200,
      "2\n",
      "application/json",
      "1",
    ]);
    const snapshot = await harness.agent("GET", "/snapshot");
    expect(headers.get("etag")).toMatch(/^"[0-9a-f]{64}"$/);
    expect(headers.get("etag")).toBe(snapshot.headers.get("etag"));
  });

  it("lists redirects by offset and by cursor", async () => {
    const next = "eyJpZCI6MiwidG90YWwiOjUsImRlbGl2ZXJlZCI6Mn0";
    const first = await harness.agent("GET", "/redirects?limit=2&offset=0");
    expect(first.headers.get("content-type")).toBe("application/json");
    expect(first.text).toBe(
      `{"Items":[${item(1)},${item(2)}],"Total":5,"Limit":2,"Offset":0,"Next":"${next}"}\n`,
    );
    const second = await harness.agent("GET", `/redirects?LIMIT=3&cursor=${next}&limit=9`);
    expect(second.text).toMatch(
      `{"Items":[${item(3)},${item(4)},${item(5)}],"Total":5,"Limit":3,"Offset":2,"Next":"`,
    );
    const third = await harness.agent("GET", `/redirects?limit=3&cursor=${second.json.Next}`);
    expect(third.text).toBe('{"Items":[],"Total":5,"Limit":3,"Offset":5}\n');
    expect((await harness.agent("GET", "/redirects?offset=4")).text).toBe(
      `{"Items":[${item(5)}],"Total":5,"Limit":500,"Offset":4}\n`,
    );
    for (const limit of ["0", "", "-1"]) {
      const all = await harness.agent("GET", `/redirects?limit=${limit}&offset=3`);
      expect(all.json.Items).toHaveLength(5);
      expect(all.json.Next).toBeUndefined();
    }
    expect((await harness.agent("GET", "/redirects?cursor=e30")).json.Items).toHaveLength(5);
  });

  it("escapes pages as Go does", async () => {
    const { text } = await harness.agent("GET", "/pages?limit=100&offset=0");
    expect(text).toBe(
      '{"Items":[{"type":"BASIC","path":"/p","content":"a\\u003cb\\u003e\\u0026\\"\\u2028","contentType":"XML"}],"Total":1,"Limit":100,"Offset":0}\n',
    );
  });

  it.each([
    ["?limit=x", 'code=400, message=strconv.ParseInt: parsing \\"x\\": invalid syntax, internal='],
    ["?cursor=!", "malformed cursor: "],
    [`?cursor=${Buffer.from('{"id":-1}').toString("base64url")}`, "malformed cursor: negative values"],
  ])("refuses the query %s", async (query, message) => {
    const { status, text } = await harness.agent("GET", `/redirects${query}`);
    expect(status).toBe(400);
    expect(text).toContain(`{"message":"${message}`);
  });

  it("registers agents and takes their hits", async () => {
    const unknown = await harness.agent("PATCH", "/agents/a1/hit");
    expect([unknown.status, unknown.text]).toEqual([500, '{"message":"record not found"}\n']);
    for (const [field, value] of [
      ["status", ""],
      ["load_duration", 0],
    ] as const) {
      const answer = await harness.agent("POST", "/agents", { json: { ...report, [field]: value } });
      expect([answer.status, answer.json.message]).toEqual([500, `agent ${field} is required for creation`]);
    }
    const made = await harness.agent("POST", "/agents", { json: report });
    expect([made.status, made.text]).toEqual([200, ""]);
    const hit = await harness.agent("PATCH", "/agents/a1/hit");
    expect([hit.status, hit.text]).toEqual([200, ""]);
    await harness.agent("POST", "/agents", {
      json: { ...report, status: "", load_duration: "1m30s", error: "x".repeat(600) },
    });
    const { items } = (await harness.project("GET", "/agents")).json;
    expect(items).toMatchObject([
      { name: "a1", status: "", version: 3, loadDuration: 90e9, error: "x".repeat(500) },
    ]);
  });

  it.each([
    [
      { ...report, name: "a.b" },
      "invalid agent name: only alphanumeric characters, underscores and hyphens are allowed",
    ],
    [{ ...report, type: "custom" }, "invalid agent type: custom"],
    [{ ...report, status: "odd" }, "invalid agent status: odd"],
    [{ ...report, version: 0 }, "agent version is required"],
    [{ ...report, version: "1" }, "code=400, message="],
    [{ ...report, version: 1.5 }, "code=400, message="],
    [{ ...report, load_duration: "5" }, "code=400, message="],
    [{ ...report, load_duration: null }, "code=400, message="],
  ])("refuses the report %o", async (json, message) => {
    const answer = await harness.agent("POST", "/agents", { json });
    expect(answer.status).toBe(400);
    expect(answer.json.message).toContain(message);
  });

  it("reads reports as Go's decoder does", async () => {
    const headers = { "content-type": "application/json; charset=UTF-8" };
    const post = (body: string) => harness.agent("POST", "/agents", { body, headers });
    const odd =
      '{"NAME":"odd","status":"success","Type":"traefik","version":7,"load_duration":"1h2m3.5s","x":{"version":1.5}}';
    expect((await post(odd)).status).toBe(200);
    const { items } = (await harness.project("GET", "/agents?search=odd")).json;
    expect(items).toMatchObject([
      { name: "odd", type: "traefik", version: 7, loadDuration: 3_723_500_000_000 },
    ]);
    for (const nothing of ["", "null", "{}"])
      expect((await post(nothing)).json.message).toBe(
        "invalid agent name: only alphanumeric characters, underscores and hyphens are allowed",
      );
    expect((await post("[]")).status).toBe(400);
    expect((await post(odd.replace('"version":7', '"version":-1'))).status).toBe(200);
  });

  it("refuses a hit of nobody, and limits beyond 64 bits only", async () => {
    expect((await harness.agent("PATCH", "/agents//hit")).status).toBe(400);
    const large = "/redirects?limit=9223372036854775807";
    expect((await harness.agent("GET", large)).json.Items).toHaveLength(5);
    const { status, text } = await harness.agent("GET", large.replace("7&", "8&").replace(/7$/, "8"));
    expect(status).toBe(400);
    expect(text).toContain("value out of range");
  });

  it("refuses a report of another type, and 1.0 as a version", async () => {
    const body = JSON.stringify(report);
    const plain = await harness.agent("POST", "/agents", { body, headers: { "content-type": "text/plain" } });
    expect([plain.status, plain.text]).toEqual([
      400,
      '{"message":"code=415, message=Unsupported Media Type"}\n',
    ]);
    const float = body.replace('"version":3', '"version":3.0');
    const headers = { "content-type": "application/json" };
    expect((await harness.agent("POST", "/agents", { body: float, headers })).status).toBe(400);
  });

  it("answers errors as agents know them", async () => {
    const { request } = harness;
    const version = "/api/namespace/ns/project/prj/version";
    const message = (text: string) => `{"message":"${text}"}\n`;
    const without = await request("GET", version, { token: null });
    expect([without.status, without.text]).toEqual([401, message("missing or invalid Authorization header")]);
    const lower = await request("GET", version, {
      token: null,
      headers: { authorization: `bearer ${harness.admin}` },
    });
    expect(lower.status).toBe(401);
    const token = await request("GET", version, { token: "flecto_x" });
    expect([token.status, token.text]).toEqual([401, message("invalid API token")]);
    const session = await request("GET", version, { token: "x" });
    expect([session.status, session.text]).toEqual([401, message("invalid Authorization token")]);
    const project = await request("GET", "/api/namespace/ns/project/none/version");
    expect([project.status, project.text]).toEqual([500, message("record not found")]);
    const narrow = await harness.manager.issueToken("narrow", {
      permissions: [{ namespace: "ns", project: "prj", resource: "agent", action: "write" }],
      admin: [],
    });
    const forbidden = await request("GET", version, { token: narrow });
    expect([forbidden.status, forbidden.text, forbidden.headers.get("content-type")]).toEqual([
      403,
      "",
      null,
    ]);
    const missing = await request("DELETE", version);
    expect([missing.status, missing.text]).toEqual([404, message("Not Found")]);
    expect((await request("GET", "/api/nothing", { token: null })).status).toBe(401);
    const head = await request("HEAD", version);
    expect([head.status, head.text]).toEqual([404, ""]);
    expect((await request("GET", "/health/ping", { token: null })).status).toBe(204);
  });
});
