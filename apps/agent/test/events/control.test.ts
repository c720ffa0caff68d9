import { exchangeBytes } from "@posthouse/testkit/raw-http";
import { until } from "@posthouse/testkit/until";
import { startWebhookReceiver } from "@posthouse/testkit/webhook-receiver";
import { describe, expect, it } from "vitest";
import type { Json } from "./captures.ts";
import { isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

const post = (json?: unknown) => ({ method: "POST", ...(json === undefined ? {} : { json }) });

describe.skipIf("missing" in redis)("control of subscriptions over HTTP", () => {
  it("lists them with states and figures, without a secret", async () => {
    await using harness = await startEventsHarness((settings) => [
      settings("shop", { broker: `redis://:geheim@127.0.0.1:1/0` }),
      settings("bill"),
    ]);
    await harness.status("bill-prod", isRunning);
    const retrying = await harness.status("shop-prod", ({ state }) => state === "retrying");
    expect(retrying.lastError?.message).toContain("127.0.0.1:1");
    await harness.publish("bill", "one");
    await harness.status("bill-prod", ({ events }) => (events as Json | undefined)?.out === 1);
    const { body } = await harness.ask("subscriptions");
    expect(body).toMatchObject({
      problems: [],
      deadLetters: { letters: 0 },
      subscriptions: [
        { name: "shop-prod", origin: "configuration", wanted: "running", state: "retrying" },
        {
          name: "bill-prod",
          state: "running",
          lagSeconds: 0,
          spool: { records: 0, limitBytes: 2 ** 30 },
          events: { in: 1, out: 1, duplicates: 0, dead: {}, requests: { "201": 1 } },
          settings: { broker: "[hidden]", app_key: "[hidden]", prefetch_count: 1000 },
        },
      ],
    });
    const told = [
      JSON.stringify(body),
      await (
        await fetch(`${harness.admin}/status`, { headers: { authorization: "Bearer s3cret-of-admin" } })
      ).text(),
      JSON.stringify(harness.entries),
    ];
    for (const text of told) {
      expect(text).toContain("bill-prod");
      for (const secret of ["geheim", "the-app-key", "s3cret-of-admin"]) expect(text).not.toContain(secret);
    }
  });

  it("shows a webhook's address without what may be a secret in it", async () => {
    await using hooks = await startWebhookReceiver();
    await using harness = await startEventsHarness(() => []);
    const { broker, app_name, app_env } = harness.settings("shop");
    const settings = { broker, app_name, app_env, webhook: { url: `${hooks.url}/wh?tok=s3cret` } };
    const added = await harness.ask("subscriptions", post(settings));
    const shown = { url: `${hooks.url}/wh?[hidden]` };
    expect(added).toMatchObject({ status: 201, body: { settings: { webhook: shown } } });
    const admin = { headers: { authorization: "Bearer s3cret-of-admin" } };
    const status = await (await fetch(`${harness.admin}/status`, admin)).text();
    for (const text of [JSON.stringify(added), status, JSON.stringify(harness.entries)])
      expect(text).not.toContain("tok=");
  });

  it("adds one after trying broker and receiver, keeps it over a restart, and removes it", async () => {
    await using harness = await startEventsHarness(() => []);
    const { ask, settings } = harness;
    const refused = async (json: unknown, status: number, code: string, text: string): Promise<void> => {
      const answer = await ask("subscriptions", post(json));
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.body.message).toContain(text);
    };
    await refused(
      settings("shop", { broker: "redis://127.0.0.1:1/0" }),
      422,
      "BROKER_UNREACHABLE",
      "127.0.0.1:1",
    );
    await refused(settings("shop", { app_key: "wrong" }), 422, "EVENTS_TARGET_REFUSES", "401");
    await refused(
      settings("shop", { api_url: "http://127.0.0.1:1" }),
      422,
      "EVENTS_TARGET_UNREACHABLE",
      "127.0.0.1:1",
    );
    await refused(settings("shop", { exchnge: "x" }), 400, "CONFIG_INVALID", 'did you mean "exchange"');
    await refused({ app_name: "shop" }, 400, "CONFIG_INVALID", "broker");
    expect((await ask("subscriptions")).body.subscriptions).toEqual([]);

    expect(await ask("subscriptions", post(settings("shop")))).toMatchObject({
      status: 201,
      body: { name: "shop-prod" },
    });
    await refused(settings("shop"), 409, "SUBSCRIPTION_EXISTS", "shop-prod");
    await harness.status("shop-prod", isRunning);
    await harness.restart();
    expect(await harness.status("shop-prod", isRunning)).toMatchObject({ origin: "added" });
    await harness.publish("shop", "one");
    await until("it is delivered", async () => harness.api.stored.length === 1);

    const changed = settings("shop", { batch_max_window_in_seconds: 6 });
    expect(await ask("subscriptions/shop-prod", { method: "PUT", json: changed })).toMatchObject({
      status: 200,
      body: { settings: { batch_max_window_in_seconds: 6 } },
    });
    const { broker, app_key } = (await harness.status("shop-prod")).settings;
    for (const shown of [{ broker }, { app_key }]) {
      const { status, body } = await ask("subscriptions/shop-prod", {
        method: "PUT",
        json: { ...changed, ...shown },
      });
      expect(status).toBe(400);
      expect(body.message).toContain("[hidden] stands for a secret");
    }
    const renamed = { method: "PUT", json: settings("other") };
    expect(await ask("subscriptions/shop-prod", renamed)).toMatchObject({
      status: 400,
      body: { code: "SUBSCRIPTION_RENAMED" },
    });
    expect(await ask("subscriptions/shop-prod", { method: "DELETE" })).toMatchObject({ status: 200 });
    expect(await ask("subscriptions/shop-prod")).toMatchObject({
      status: 404,
      body: { code: "SUBSCRIPTION_UNKNOWN" },
    });
    await harness.restart();
    expect((await ask("subscriptions")).body.subscriptions).toEqual([]);
  });

  it("adds none that would share a queue of RabbitMQ with another", async () => {
    const broker = "amqp://guest:guest@127.0.0.1:1//";
    await using harness = await startEventsHarness((settings) => [settings("shop", { broker })]);
    const { ask, settings } = harness;
    expect(await ask("subscriptions", post(settings("bill", { broker })))).toMatchObject({
      status: 409,
      body: {
        code: "SUBSCRIPTION_CLASHES",
        message: expect.stringMatching(/shop-prod and bill-prod both consume the queue leek\.fanout/),
      },
    });
    expect((await ask("subscriptions", post(settings("bill")))).status).toBe(201);
    await harness.reload(settings("bill", { broker: "amqp://127.0.0.1:1//", app_env: "test" }));
    const moved = settings("bill", { broker: "amqp://guest:guest@127.0.0.1:1//" });
    expect(await ask("subscriptions/bill-prod", { method: "PUT", json: moved })).toMatchObject({
      status: 409,
      body: { code: "SUBSCRIPTION_CLASHES" },
    });
  });

  it("pauses, stops, starts and restarts one, without another one noticing, and remembers it", async () => {
    await using harness = await startEventsHarness((settings) => [settings("shop"), settings("bill")]);
    await harness.status("shop-prod", isRunning);
    const since = async () => ((await harness.status("bill-prod", isRunning)).broker as Json).since;
    const before = await since();

    expect(await harness.ask("subscriptions/shop-prod/pause", post())).toMatchObject({
      body: { state: "paused" },
    });
    await harness.publish("shop", "one", "two");
    await harness.status("shop-prod", ({ spool }) => spool.records === 2);
    await harness.restart();
    await harness.status("shop-prod", ({ state }) => state === "paused");
    expect(harness.api.stored).toEqual([]);
    expect(await harness.ask("subscriptions/shop-prod/start", post())).toMatchObject({ status: 200 });
    await until("both are delivered", async () => harness.api.stored.length === 2);

    const again = await since();
    expect(again).not.toBe(before);
    expect(await harness.ask("subscriptions/shop-prod/stop", post())).toMatchObject({
      body: { state: "stopped" },
    });
    expect(await harness.ask("subscriptions/shop-prod/restart", post())).toMatchObject({ status: 200 });
    await harness.status("shop-prod", isRunning);
    expect(await harness.ask("subscriptions/nobody-prod/stop", post())).toMatchObject({ status: 404 });
    expect(await harness.ask("subscriptions/shop-prod", { method: "DELETE" })).toMatchObject({
      status: 409,
      body: { code: "SUBSCRIPTION_FIXED", message: expect.stringContaining("configuration") },
    });
    expect(await since()).toBe(again);
  });

  it("lists, exports, replays and drops dead letters", async () => {
    await using harness = await startEventsHarness((settings) => [settings("shop")]);
    const { ask } = harness;
    await harness.status("shop-prod", isRunning);
    const poison = (uuid: string) =>
      JSON.stringify({ type: "task-wonder", uuid, hostname: "h", note: "x".repeat(3000) });
    for (const uuid of ["a", "b", "c"]) await harness.publishBody("shop", poison(uuid));
    await until(
      "three letters",
      async () => ((await ask("dead-letters")).body.deadLetters as Json[]).length === 3,
    );
    const letters = (await ask("dead-letters?limit=2&subscription=shop-prod")).body.deadLetters as Json[];
    expect(letters).toMatchObject([
      { id: 1, subscription: "shop-prod", reason: "unknown-type", isShortened: true },
      { id: 2, isShortened: true },
    ]);
    const exported = await fetch(`${harness.admin}/events/dead-letters/export?after=1`, {
      headers: { authorization: "Bearer s3cret-of-admin" },
    });
    expect(exported.headers.get("content-type")).toBe("application/x-ndjson");
    const whole = (await exported.text())
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Json);
    expect(whole.map(({ id }) => id)).toEqual([2, 3]);
    expect(JSON.stringify(whole[0])).toContain("x".repeat(3000));

    expect(await ask("dead-letters/drop", post({ ids: [2] }))).toMatchObject({ body: { dropped: 1 } });
    // What is poison becomes a dead letter again.
    expect(await ask("dead-letters/replay", post({ subscription: "shop-prod" }))).toMatchObject({
      body: { replayed: 2 },
    });
    await until(
      "they are back",
      async () => ((await ask("dead-letters")).body.deadLetters as Json[]).length === 2,
    );
    await ask("subscriptions/shop-prod/stop", post());
    expect(await ask("dead-letters/replay", post({ subscription: "shop-prod" }))).toMatchObject({
      status: 409,
      body: { code: "SUBSCRIPTION_STOPPED" },
    });
    expect(await ask("dead-letters/drop", post({ subscription: "shop-prod" }))).toMatchObject({
      body: { dropped: 2 },
    });
    for (const json of [{}, { ids: [] }, { ids: [1], subscription: "x" }, { ids: ["1"] }])
      expect(await ask("dead-letters/drop", post(json))).toMatchObject({ status: 400 });
  });

  it("shows what Leek's agent left in Redis, and removes it when asked", async () => {
    await using harness = await startEventsHarness((settings) => [settings("shop")]);
    await harness.status("shop-prod", isRunning);
    const ask = (dry_run: boolean) => harness.ask("subscriptions/shop-prod/clean-up", post({ dry_run }));
    expect(await ask(true)).toMatchObject({ status: 200, body: { dryRun: true, found: [] } });
    expect(await ask(false)).toMatchObject({ status: 200, body: { dryRun: false } });
    await harness.reload(harness.settings("shop", { broker: "amqp://guest:guest@127.0.0.1:1//" }));
    await harness.status("shop-prod", ({ state }) => state === "retrying");
    expect(await ask(true)).toMatchObject({ status: 409, body: { code: "SUBSCRIPTION_NOT_REDIS" } });
  });
});

describe.skipIf("missing" in redis)("the guard of the control API", () => {
  it("wants the token, a host of ours and no foreign origin", async () => {
    await using harness = await startEventsHarness(() => []);
    const port = Number(harness.admin.split(":").at(-1));
    const request = (method: string, path: string, ...headers: string[]): Promise<string> =>
      exchangeBytes(
        port,
        [`${method} ${path} HTTP/1.1`, "Connection: close", ...headers, "", ""].join("\r\n"),
      );
    const token = "Authorization: Bearer s3cret-of-admin";
    const host = `Host: 127.0.0.1:${port}`;
    const path = "/events/subscriptions";
    expect(await request("GET", path, host)).toMatch(/^HTTP\/1.1 401 [\s\S]*TOKEN_NEEDED/);
    expect(await request("GET", path, host, "Authorization: Bearer s3cret-of-admim")).toMatch(
      /^HTTP\/1.1 401/,
    );
    expect(await request("GET", path, host, token)).toMatch(/^HTTP\/1.1 200/);
    for (const name of ["localhost", "[::1]:1234", "AGENT.example.com:80", "10.1.2.3"])
      expect(await request("GET", path, `Host: ${name}`, token)).toMatch(/^HTTP\/1.1 200/);
    for (const name of [
      "evil.example.com",
      "127.0.0.1.evil.com",
      "agent.example.com.evil.com",
      "localhost.evil",
    ])
      expect(await request("GET", path, `Host: ${name}`, token)).toMatch(
        /^HTTP\/1.1 403 [\s\S]*UNKNOWN_HOST/,
      );
    for (const origin of [
      "http://evil.example.com",
      "null",
      `http://127.0.0.1:${port + 1}`,
      `http://127.0.0.1:${port}.evil.com`,
    ])
      for (const method of ["GET", "POST"])
        expect(await request(method, path, host, token, `Origin: ${origin}`)).toMatch(
          /^HTTP\/1.1 403 [\s\S]*FOREIGN_ORIGIN/,
        );
    expect(await request("GET", path, host, token, `Origin: http://127.0.0.1:${port}`)).toMatch(
      /^HTTP\/1.1 200/,
    );
    // The page itself tells nothing.
    expect(await request("GET", "/events/", host)).toMatch(
      /^HTTP\/1.1 200[\s\S]*Content-Security-Policy: default-src 'none'/,
    );
    expect(await request("GET", "/events", host)).toMatch(/^HTTP\/1.1 308[\s\S]*Location: \/events\//);
    expect(await request("GET", "/events/", "Host: evil.example.com")).toMatch(/^HTTP\/1.1 403/);
  });

  it("refuses bodies that are not JSON, or too large, and what is not there", async () => {
    await using harness = await startEventsHarness(() => []);
    const { ask } = harness;
    const text = { method: "POST", body: "{}", headers: { "content-type": "text/plain" } };
    expect(await ask("subscriptions", text)).toMatchObject({ status: 415, body: { code: "INVALID_BODY" } });
    const broken = { method: "POST", body: "{", headers: { "content-type": "application/json" } };
    expect(await ask("subscriptions", broken)).toMatchObject({ status: 400 });
    expect(await ask("subscriptions", post({ broker: "x".repeat(300_000) }))).toMatchObject({ status: 413 });
    expect(await ask("nothing")).toMatchObject({ status: 404 });
    expect(await ask("subscriptions", { method: "DELETE" })).toMatchObject({ status: 405 });
    expect(await ask("subscriptions/%zz", { method: "DELETE" })).toMatchObject({ status: 404 });
    expect(await ask("dead-letters?limit=0")).toMatchObject({ status: 400, body: { code: "INVALID_QUERY" } });
  });
});
