import { expect, test } from "vitest";
import { createMetrics } from "../../../src/core/metrics.ts";
import { createHttpCounters } from "../../../src/http/http-metrics.ts";
import { createNode1Server } from "../../../src/http/node1.ts";
import { collectLog } from "../../harness.ts";
import { eventOf, type InsightsHarness, otherKey, startInsights } from "./harness.ts";

/** The export behind a server, as the admin address has it. */
async function startExport({
  insights,
}: InsightsHarness): Promise<{ fetch(after?: number): Promise<Response> } & AsyncDisposable> {
  const { log } = collectLog();
  const handle: Parameters<typeof createNode1Server>[0]["role"]["handler"]["handle"] = (exchange) =>
    insights.export(exchange, Number(exchange.target.slice(1)));
  const server = createNode1Server({
    name: "export",
    listen: { host: "127.0.0.1", port: 0 },
    role: { handler: { handle }, counters: createHttpCounters(createMetrics())("export") },
    log,
  });
  await server.start();
  return {
    fetch: (after = 0) => fetch(`http://127.0.0.1:${server.address?.port}/${after}`),
    [Symbol.asyncDispose]: () => server.stop(1000),
  };
}

const linesOf = async (response: Response): Promise<Record<string, unknown>[]> =>
  (await response.text())
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test("kept events are fetched as lines of JSON, as often as wanted, and from a position on; without keys", async () => {
  await using insights = await startInsights({ mode: "keep" });
  await using server = await startExport(insights);
  const events = Array.from({ length: 60 }, (_, index) => eventOf(index));
  for (let start = 0; start < 60; start += 20)
    await insights.track(events.slice(start, start + 20), otherKey);
  const response = await server.fetch();
  expect(response.headers.get("content-type")).toBe("application/x-ndjson");
  const lines = await linesOf(response);
  expect(lines.map(({ event }) => event)).toEqual(events);
  expect(lines[0]).toMatchObject({ environment: "shop:test", at: expect.stringMatching(/^20\d\d-/) });
  expect(JSON.stringify(lines)).not.toContain(otherKey);
  const [again, later] = await Promise.all([server.fetch(), server.fetch(Number(lines[49]?.position))]);
  expect(await linesOf(again)).toEqual(lines);
  expect(await linesOf(later)).toEqual(lines.slice(50));
});

test("they outlive a restart", async () => {
  const insights = await startInsights({ mode: "keep" });
  await insights.track([eventOf(1)]);
  await insights.insights.stop(2000);
  await insights.insights.start();
  await using server = await startExport(insights);
  expect((await linesOf(await server.fetch())).map(({ event }) => event)).toEqual([eventOf(1)]);
  await insights[Symbol.asyncDispose]();
});

test("the oldest go when they are too many, and all that are too old", async () => {
  await using insights = await startInsights({ mode: "keep", queue: "1MiB" });
  await using server = await startExport(insights);
  const pad = "x".repeat(9_000);
  let sent = 0;
  await expect
    .poll(
      async () => {
        for (let round = 0; round < 5; round++) {
          const events = Array.from({ length: 10 }, () => ({ ...eventOf(sent++), pad }));
          if ((await insights.track(events)) !== 200) sent -= 10;
        }
        return insights.metric('posthouse_flags_insights_dropped_total{reason="oldest"}');
      },
      { timeout: 20_000, interval: 300 },
    )
    .toBeGreaterThan(0);
  const numbers = (await linesOf(await server.fetch())).map(
    ({ event }) => (event as { user: { keyId: string } }).user.keyId,
  );
  expect(numbers.at(-1)).toBe(`u-${sent - 1}`);
  expect(numbers).not.toContain("u-0");
  insights.configure({ mode: "keep", queue: "1MiB", max_age: "1s" });
  await expect
    .poll(() => insights.metric("posthouse_flags_insights_queue_events"), { timeout: 15_000 })
    .toBe(0);
});

test("where nothing is kept, that is said", async () => {
  await using insights = await startInsights({});
  await using server = await startExport(insights);
  expect((await server.fetch()).status).toBe(404);
});
