import { exampleDump, examplePayload, exampleUser } from "@posthouse/testkit/featbit/example";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import { FeatbitWorld } from "@posthouse/testkit/featbit/world";
import { expect, test } from "vitest";
import { apiKey, type FlagsHarness, startFlags } from "./harness.ts";

const [item] = exampleDump().items;
const secret = (type: string): string => item?.secrets.find((each) => each.type === type)?.value ?? "";
const unknown = createSecret(item?.envId ?? "");
const serverPath = "/api/public/sdk/server/latest-all";
const clientPath = "/api/public/sdk/client/latest-all";

function start(config: Readonly<Record<string, unknown>> = {}): Promise<FlagsHarness> {
  const world = new FeatbitWorld();
  world.load(exampleDump());
  return startFlags({ world, config });
}

const get = (flags: FlagsHarness, path: string, authorization?: string): Promise<Response> =>
  fetch(flags.url + path, {
    headers: { "content-type": "application/json", ...(authorization && { authorization }) },
  });

const post = (
  flags: FlagsHarness,
  path: string,
  body: string,
  authorization: string,
  type = "application/json",
): Promise<Response> =>
  fetch(flags.url + path, { method: "POST", body, headers: { authorization, "content-type": type } });

const user = JSON.stringify(exampleUser);

test("a server SDK that polls gets what one on a socket gets, and nothing when nothing is newer", async () => {
  await using flags = await start();
  flags.load();
  const full = await get(flags, serverPath, secret("server"));
  expect([full.status, full.headers.get("etag")]).toEqual([200, null]);
  expect(await full.json()).toEqual({
    messageType: "data-sync",
    data: { eventType: "full", featureFlags: item?.featureFlags, segments: item?.segments },
  });
  const patch = await get(flags, `${serverPath}?timestamp=1740824430456`, secret("server"));
  expect(await patch.json()).toMatchObject({
    data: {
      eventType: "patch",
      featureFlags: [{ key: "banner-text" }],
    },
  });
  const none = await get(flags, `${serverPath}?timestamp=1740902400000`, secret("server"));
  expect([none.status, await none.text(), none.headers.get("etag")]).toEqual([200, "", null]);
});

test("a client SDK that polls gets its user's flags", async () => {
  await using flags = await start();
  flags.load();
  const full = await post(flags, `${clientPath.toUpperCase()}?timestamp=0`, user, secret("client"));
  expect(await full.text()).toBe(JSON.stringify(examplePayload));
  const none = await post(flags, `${clientPath}?timestamp=1740902400000`, user, secret("client"));
  expect([none.status, await none.text()]).toEqual([200, ""]);
});

test.each([
  ["a time that is no number", serverPath, "?timestamp=soon", undefined, 400],
  ["a time that is no number", clientPath, "?timestamp=1.5", user, 400],
  ["a blank keyId", clientPath, "", '{"keyId":" "}', 400],
  ["a body that is no JSON", clientPath, "", "{", 400],
  ["no body", clientPath, "", "", 400],
  ["a body above the limit", clientPath, "", JSON.stringify("x".repeat(70_000)), 413],
])("%s is refused before the key is looked at: %s%s", async (_, path, query, body, status) => {
  await using flags = await start();
  flags.load();
  const answer =
    body === undefined
      ? await get(flags, path + query, "nobody")
      : await post(flags, path + query, body, "nobody");
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/problem+json");
});

test("a body of another type is refused", async () => {
  await using flags = await start();
  expect((await post(flags, clientPath, user, secret("client"), "text/plain")).status).toBe(415);
});

test("a key is looked up: unknown ones and those of the other type get 401, once all is known", async () => {
  await using flags = await start();
  const ask = async (key: string | undefined): Promise<number> => (await get(flags, serverPath, key)).status;
  expect(await ask(secret("server"))).toBe(503);
  flags.load("disk");
  expect(await ask(secret("server"))).toBe(200);
  expect(await ask(unknown)).toBe(503);
  expect(await ask(secret("client"))).toBe(401);
  flags.load();
  expect(await ask(unknown)).toBe(401);
  expect(await ask(undefined)).toBe(401);
  expect((await post(flags, clientPath, user, secret("server"))).status).toBe(401);
  expect((await post(flags, clientPath, user, secret("client"))).status).toBe(200);
  expect((await post(flags, "/ofrep/v1/evaluate/flags", "{}", unknown)).status).toBe(401);
  const refused = (labels: string): Promise<number> =>
    flags.metric(`posthouse_flags_keys_refused_total{${labels}}`);
  expect(await refused('by="poll_server",status="503"')).toBe(2);
  expect(await refused('by="poll_server",status="401"')).toBe(3);
  expect(await refused('by="poll_client",status="401"')).toBe(1);
  expect(await refused('by="ofrep",status="401"')).toBe(1);
});

test.each(["/api/public/proxy", "/api/proxy"])(
  "%s: bootstrap, status and backup with the agent's key",
  async (prefix) => {
    await using flags = await start();
    const dump = JSON.stringify(exampleDump());
    for (const [path, method] of [
      ["bootstrap", "POST"],
      ["status", "GET"],
      ["backup", "GET"],
    ]) {
      const init = {
        method: method ?? "",
        headers: { authorization: "rp-other", "content-type": "application/json" },
      };
      const body = method === "POST" ? { body: dump } : {};
      expect((await fetch(`${flags.url}${prefix}/${path}`, { ...init, ...body })).status).toBe(401);
    }
    expect(flags.store.isPopulated).toBe(false);
    const filled = await post(flags, `${prefix}/bootstrap`, dump, apiKey);
    expect([filled.status, await filled.json()]).toEqual([
      200,
      { serves: "shop:prod", dataVersion: 1740902400000 },
    ]);
    const status = await (await get(flags, `${prefix}/status`, apiKey)).json();
    expect(status).toEqual({
      serves: "shop:prod",
      dataVersion: 1740902400000,
      syncState: "None",
      lastSyncedAt: null,
      reportedAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(await (await get(flags, `${prefix}/backup`, apiKey)).json()).toEqual(exampleDump());
  },
);

test("a malformed dump is refused with the path inside it, and nothing changes", async () => {
  await using flags = await start();
  flags.load();
  const dump = {
    items: [{ envId: "e", secrets: [], featureFlags: [{ id: "f", envId: "e" }], segments: [] }],
  };
  const answer = await post(flags, "/api/public/proxy/bootstrap", JSON.stringify(dump), apiKey);
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({
    detail: expect.stringContaining("items[0].featureFlags[0].updatedAt"),
  });
  expect((await get(flags, serverPath, secret("server"))).status).toBe(200);
});

test("a bootstrap above its limit is refused", async () => {
  await using flags = await start({ bodies: { bootstrap: "1KiB" } });
  expect(
    (await post(flags, "/api/public/proxy/bootstrap", JSON.stringify(exampleDump()), apiKey)).status,
  ).toBe(413);
});

test("health: alive from the start, ready from the first data on, stale or not", async () => {
  await using flags = await start();
  const ask = async (path: string): Promise<string> => {
    const answer = await get(flags, path);
    return `${answer.status} ${await answer.text()}`;
  };
  expect(await ask("/health/liveness")).toBe("200 Healthy");
  expect(await ask("//health/liveness")).toBe("200 Healthy");
  expect(await ask("/health/readiness")).toBe("503 Unhealthy");
  flags.load("disk");
  expect(await ask("/HEALTH/Readiness")).toBe("200 Healthy");
});

test("pages of any origin may ask", async () => {
  await using flags = await start();
  flags.load();
  const preflight = await fetch(flags.url + clientPath, {
    method: "OPTIONS",
    headers: {
      origin: "https://shop.example.com",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-user-agent",
    },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe("*");
  expect(preflight.headers.get("access-control-allow-methods")).toBe("POST");
  expect(preflight.headers.get("access-control-allow-headers")).toBe(
    "authorization,content-type,x-user-agent",
  );
  const headers = { origin: "https://shop.example.com", authorization: "nobody" };
  const refused = await fetch(flags.url + serverPath, { headers });
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
});

test("insights of whomever are taken, and left", async () => {
  await using flags = await start();
  for (const key of [secret("server"), unknown, "none"]) {
    const answer = await post(flags, "/api/public/insight/track", "[]", key);
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  }
});

test("other paths and methods", async () => {
  await using flags = await start();
  expect((await get(flags, "/")).status).toBe(404);
  const answer = await post(flags, serverPath, "{}", secret("server"));
  expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
});
