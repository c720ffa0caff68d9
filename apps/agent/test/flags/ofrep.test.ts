import { exampleDump } from "@posthouse/testkit/featbit/example";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import type { Flag } from "@posthouse/testkit/featbit/shapes";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { describe, expect, test } from "vitest";
import { type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const envId = item?.envId ?? "";
const secretOf = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";
const path = "/ofrep/v1/evaluate/flags";

function start(): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  return startFlags({ world });
}

interface Asked {
  readonly key?: string;
  readonly context?: unknown;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(
  flags: FlagsHarness,
  { key, context = { targetingKey: "u-101" }, body = JSON.stringify({ context }), headers }: Asked = {},
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely
): Promise<{ status: number; headers: Headers; json: any }> {
  const response = await fetch(`${flags.url}${path}${key === undefined ? "" : `/${key}`}`, {
    method: "POST",
    headers: { authorization: secretOf("server"), "content-type": "application/json", ...headers },
    body,
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    json: text === "" ? undefined : JSON.parse(text),
  };
}

test("all flags of a user at once, by key, without archived ones", async () => {
  await using flags = await start();
  flags.load();
  const { status, json } = await ask(flags, { context: { targetingKey: "u-101", name: "Max", visits: 2 } });
  expect([status, json]).toEqual([
    200,
    {
      flags: [
        {
          key: "banner-text",
          reason: "DEFAULT",
          variant: "b-a",
          metadata: {
            matchReason: "default",
            variationType: "string",
            sendToExperiment: true,
            updatedAt: 1740902400000,
          },
          value: "Welcome",
        },
        {
          key: "new-checkout",
          reason: "SPLIT",
          variant: "v-on",
          metadata: {
            matchReason: "default",
            variationType: "boolean",
            sendToExperiment: true,
            updatedAt: 1740824430456,
          },
          value: true,
        },
      ],
    },
  ]);
  flags.world.archiveFlag(envId, "banner-text");
  flags.load();
  expect((await ask(flags)).json.flags.map(({ key }: { key: string }) => key)).toEqual(["new-checkout"]);
  const one = await ask(flags, { key: "banner-text" });
  expect([one.status, one.json]).toMatchObject([404, { key: "banner-text", errorCode: "FLAG_NOT_FOUND" }]);
});

test("an ETag for one user's flags: 304 until something changes for him, also after a restart", async () => {
  await using flags = await start();
  flags.load();
  const first = await ask(flags);
  const tag = first.headers.get("etag") ?? "";
  expect(tag).toMatch(/^"[\w-]+"$/);
  const again = { headers: { "if-none-match": `"other", W/${tag}` } };
  const same = await ask(flags, again);
  expect([same.status, same.json, same.headers.get("etag")]).toEqual([304, undefined, tag]);
  expect((await ask(flags, { ...again, context: { targetingKey: "u-2" } })).status).toBe(200);
  await using restarted = await start();
  restarted.load("disk");
  expect((await ask(restarted, again)).status).toBe(304);
  flags.world.patchFlag(envId, "banner-text", { isEnabled: false });
  flags.load();
  expect((await ask(flags, again)).status).toBe(200);
});

test("FeatBit's own endpoints have no ETag", async () => {
  await using flags = await start();
  flags.load();
  for (const [method, of, body] of [
    ["GET", "/api/public/sdk/server/latest-all", null],
    ["POST", "/api/public/sdk/client/latest-all", '{"keyId":"u"}'],
  ] as const) {
    const headers = {
      authorization: secretOf(method === "GET" ? "server" : "client"),
      "content-type": "application/json",
      "if-none-match": "*",
    };
    const answer = await fetch(flags.url + of, { method, headers, body });
    expect([answer.status, answer.headers.get("etag")]).toEqual([200, null]);
  }
});

test("an environment's secret is the key, however it is carried; while upstream may still name others: 503", async () => {
  await using flags = await start();
  const key = secretOf("client");
  const unknown = createSecret(envId);
  expect((await ask(flags)).status).toBe(503);
  flags.load("disk");
  const cold = await ask(flags, { headers: { authorization: unknown } });
  expect([cold.status, cold.headers.get("retry-after")]).toEqual([503, "5"]);
  flags.load();
  for (const headers of [
    { authorization: key },
    { authorization: `Bearer ${key}` },
    { authorization: `bearer  ${key}` },
    { authorization: "", "x-api-key": key },
  ])
    expect((await ask(flags, { headers })).status).toBe(200);
  for (const authorization of [unknown, "", "Bearer", `Basic ${key}`])
    expect((await ask(flags, { headers: { authorization } })).status).toBe(401);
});

describe("what is wrong with a request", () => {
  test.each([
    [{ body: "{" }, 400, "PARSE_ERROR"],
    [{ body: "[]" }, 400, "PARSE_ERROR"],
    [{ body: "{}" }, 400, "TARGETING_KEY_MISSING"],
    [{ context: {} }, 400, "TARGETING_KEY_MISSING"],
    [{ context: { targetingKey: " " } }, 400, "TARGETING_KEY_MISSING"],
    [{ context: { targetingKey: null } }, 400, "TARGETING_KEY_MISSING"],
    [{ context: { targetingKey: 5 } }, 400, "INVALID_CONTEXT"],
    [{ context: "u-101" }, 400, "INVALID_CONTEXT"],
    [{ body: JSON.stringify({ context: { targetingKey: "x".repeat(70_000) } }) }, 413, "PARSE_ERROR"],
    [{ headers: { "content-type": "text/plain" } }, 415, "PARSE_ERROR"],
  ] as [Asked, number, string][])("%.60j is told as %i %s", async (asked, status, errorCode) => {
    await using flags = await start();
    flags.load();
    const all = await ask(flags, asked);
    expect([all.status, all.json]).toMatchObject([status, { errorCode }]);
    const one = await ask(flags, { ...asked, key: "new-checkout" });
    expect([one.status, one.json]).toMatchObject([status, { key: "new-checkout", errorCode }]);
  });

  test("a flag that is not there, a path that is not there, a method", async () => {
    await using flags = await start();
    flags.load();
    const none = await ask(flags, { key: "NEW-checkout" });
    expect([none.status, none.json]).toMatchObject([
      404,
      { key: "NEW-checkout", errorCode: "FLAG_NOT_FOUND" },
    ]);
    expect((await fetch(`${flags.url}/ofrep/v1/else`)).status).toBe(404);
    expect((await fetch(flags.url + path)).status).toBe(405);
    expect((await ask(flags, { key: "%zz" })).status).toBe(404);
  });
});

describe("a flag's value has the flag's type", () => {
  const flagOf = (variationType: string | null, value: string): Flag => ({
    ...(item?.featureFlags[1] as Flag),
    key: "typed",
    variationType: variationType as string,
    variations: [{ id: "v", name: "V", value }],
    rules: [],
    fallthrough: {
      dispatchKey: null,
      includedInExpt: false,
      variations: [{ id: "v", rollout: [0, 1], exptRollout: 1 }],
    },
  });

  test.each([
    ["boolean", "true", true],
    ["boolean", "False", false],
    ["number", " 1.5 ", 1.5],
    ["number", "1e3", 1000],
    ["json", '{"a":[1]}', { a: [1] }],
    ["json", "[1]", [1]],
    ["string", "true", "true"],
    ["string", "", ""],
    [null, "x", "x"],
  ])("%s %j is %j", async (type, text, value) => {
    await using flags = await start();
    flags.world.setFlag(envId, flagOf(type, text));
    flags.load();
    const { status, json } = await ask(flags, { key: "typed" });
    expect([status, json]).toMatchObject([200, { key: "typed", reason: "STATIC", variant: "v", value }]);
  });

  test.each([
    ["boolean", "yes"],
    ["boolean", ""],
    ["number", "a"],
    ["number", ""],
    ["number", "Infinity"],
    ["json", "{"],
  ])("%s %j is a parse error, alone and among others", async (type, text) => {
    await using flags = await start();
    flags.world.setFlag(envId, flagOf(type, text));
    flags.load();
    const one = await ask(flags, { key: "typed" });
    expect([one.status, one.json]).toMatchObject([400, { key: "typed", errorCode: "PARSE_ERROR" }]);
    const all = await ask(flags);
    expect([all.status, all.json.flags.at(-1)]).toMatchObject([
      200,
      { key: "typed", errorCode: "PARSE_ERROR" },
    ]);
  });
});

test("a context's attributes are FeatBit's properties, as text", async () => {
  await using flags = await start();
  const rule = (property: string, value: string, id: string): object => ({
    id,
    name: id,
    dispatchKey: null,
    includedInExpt: false,
    conditions: [{ id, property, op: "Equal", value }],
    variations: [{ id: "b-b", rollout: [0, 1], exptRollout: 1 }],
  });
  const wanted = {
    age: "36",
    ratio: "0.5",
    paid: "true",
    tags: '["a","b"]',
    name: "Ann",
    keyId: "u-1",
    none: "",
  };
  const flag = item?.featureFlags[1] as Flag;
  for (const [property, value] of Object.entries(wanted))
    flags.world.setFlag(envId, {
      ...flag,
      id: `id-${property}`,
      key: `is-${property}`,
      rules: [rule(property, value, "r")],
    } as Flag);
  flags.load();
  const context = {
    targetingKey: "u-1",
    name: "Ann",
    keyId: "somebody else",
    age: 36,
    ratio: 0.5,
    paid: true,
    tags: ["a", "b"],
    none: null,
  };
  const { json } = await ask(flags, { context });
  const matched = json.flags.filter(({ reason }: { reason: string }) => reason === "TARGETING_MATCH");
  expect(matched.map(({ key }: { key: string }) => key.slice(3)).sort()).toEqual(Object.keys(wanted).sort());
});

test("a page of another origin may ask, and read the ETag", async () => {
  await using flags = await start();
  flags.load();
  const preflight = await fetch(flags.url + path, {
    method: "OPTIONS",
    headers: {
      origin: "https://shop.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,if-none-match",
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-headers")).toContain("if-none-match");
  const { headers } = await ask(flags, { headers: { origin: "https://shop.example.com" } });
  expect(headers.get("access-control-allow-origin")).toBe("*");
  expect(headers.get("access-control-expose-headers")).toContain("ETag");
});

test("the configuration says that polling works, and is tagged", async () => {
  await using flags = await start();
  flags.load();
  const headers = { authorization: secretOf("client") };
  const answer = await fetch(`${flags.url}/ofrep/v1/configuration`, { headers });
  expect([answer.status, await answer.json()]).toMatchObject([
    200,
    { capabilities: { cacheInvalidation: { polling: { enabled: true } } } },
  ]);
  const again = await fetch(`${flags.url}/ofrep/v1/configuration`, {
    headers: { ...headers, "if-none-match": answer.headers.get("etag") ?? "" },
  });
  expect(again.status).toBe(304);
  expect(
    await flags.metric('posthouse_flags_ofrep_requests_total{environment="shop:prod",status="304"}'),
  ).toBe(1);
});
