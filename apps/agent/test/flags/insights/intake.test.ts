import { Readable } from "node:stream";
import { createSecret } from "@posthouse/testkit/featbit/secrets";
import fc from "fast-check";
import { expect, test } from "vitest";
import { eventOf, secretOf, startEventServer, startInsights } from "./harness.ts";

const json = { "content-type": "application/json" };

test("an SDK's events are taken, however they are sent", async () => {
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: server.url });
  const chunks = [JSON.stringify([eventOf(1)]).slice(0, 20), JSON.stringify([eventOf(1)]).slice(20)];
  const chunked = await insights.post({
    headers: { ...json, authorization: secretOf("client") },
    body: Readable.toWeb(Readable.from(chunks.map((text) => Buffer.from(text)))) as ReadableStream,
    duplex: "half",
  } as RequestInit);
  expect([chunked.status, await chunked.text()]).toEqual([200, ""]);
  const large = Array.from({ length: 50 }, (_, index) => ({
    ...eventOf(index + 2),
    pad: "x".repeat(10_000),
  }));
  expect(await insights.track(large)).toBe(200);
  await expect.poll(() => server.taken().length, { timeout: 10_000 }).toBe(51);
  expect(server.taken()).toEqual([eventOf(1), ...large]);
  expect(await insights.metric('posthouse_flags_insights_accepted_total{environment="shop:prod"}')).toBe(51);
});

test("what never can be taken is answered with 200 and counted", async () => {
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: server.url, body: "2KiB" });
  expect(
    await insights.track([eventOf(1), eventOf(2)], createSecret("11111111-2222-3333-4444-555555555555")),
  ).toBe(200);
  expect(await insights.track([eventOf(1)], "no key at all")).toBe(200);
  expect((await insights.post({ headers: json, body: "[}" })).status).toBe(200);
  expect((await insights.post({ headers: json, body: '{"user":1}' })).status).toBe(200);
  expect((await insights.post({})).status).toBe(200);
  expect(await insights.track(["x".repeat(5000)])).toBe(200);
  expect(await insights.track([1, null, {}, { user: {} }, { user: { keyId: " " } }])).toBe(200);
  const dropped = (reason: string): Promise<number> =>
    insights.metric(`posthouse_flags_insights_dropped_total{reason="${reason}"}`);
  const refused = (reason: string): Promise<number> =>
    insights.metric(`posthouse_flags_insights_refused_total{reason="${reason}"}`);
  expect([await dropped("unknown_key"), await dropped("invalid")]).toEqual([3, 5]);
  expect([await refused("not_json"), await refused("too_large")]).toEqual([3, 1]);
});

test("no body is answered with a code that switches an SDK's events off", async () => {
  await using insights = await startInsights({ mode: "keep" });
  const body = fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.array(fc.object()).map((list) => Buffer.from(JSON.stringify(list))),
  );
  const key = fc.oneof(fc.constant(secretOf("server")), fc.stringMatching(/^[!-~]{0,50}$/));
  await fc.assert(
    fc.asyncProperty(body, key, fc.stringMatching(/^[a-z/]{0,20}$/), async (bytes, authorization, type) => {
      const headers = { authorization, "content-type": type };
      expect((await insights.post({ headers, body: new Uint8Array(bytes) })).status).toBe(200);
    }),
    { numRuns: 200 },
  );
});

test("a full queue asks the SDK to try again", async () => {
  await using server = await startEventServer();
  server.answer = () => 503;
  await using insights = await startInsights({ event_uri: server.url, queue: "1MiB" });
  const big = Array.from({ length: 20 }, (_, index) => ({ ...eventOf(index), pad: "x".repeat(20_000) }));
  const statuses = new Set<number>();
  for (let round = 0; round < 8; round++) statuses.add(await insights.track(big));
  expect(statuses).toEqual(new Set([200, 503]));
  expect(
    await insights.metric('posthouse_flags_insights_refused_total{reason="queue_full"}'),
  ).toBeGreaterThan(0);
});

test("with mode drop nothing is asked for, and nothing is written", async () => {
  await using insights = await startInsights({});
  expect(await insights.track([eventOf(1)], "whoever")).toBe(200);
  expect(insights.insights.status()).toMatchObject({ mode: "drop", queue: undefined });
  expect(await insights.metric("posthouse_flags_insights_unread_total")).toBe(1);
});
