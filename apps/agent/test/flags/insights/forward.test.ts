import { expect, test } from "vitest";
import { eventOf, otherKey, secretOf, startEventServer, startInsights } from "./harness.ts";

const wait = { timeout: 15_000 };
const numbersOf = (events: readonly unknown[]): number[] =>
  events
    .map((event) => Number((event as { user: { keyId: string } }).user.keyId.slice(2)))
    .toSorted((a, b) => a - b);
const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

test("events of one key travel together, 50 at most, with the key and as the path says", async () => {
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: `${server.url}/els/` });
  for (const number of upTo(120)) {
    const key = number % 2 === 0 ? secretOf("server") : otherKey;
    expect(await insights.track([eventOf(number)], key)).toBe(200);
  }
  await expect.poll(() => numbersOf(server.taken()), wait).toEqual(upTo(120));
  expect(server.received.length).toBeLessThan(60);
  for (const { path, headers, events } of server.received) {
    expect(path).toBe("/els/api/public/insight/track");
    expect(headers["user-agent"]).toMatch(/^featbit-agent/);
    expect(headers["content-type"]).toBe("application/json");
    expect(events.length).toBeLessThanOrEqual(50);
    const isEven = headers.authorization === secretOf("server");
    expect(numbersOf(events).every((number) => (number % 2 === 0) === isEven)).toBe(true);
  }
  expect(await insights.metric('posthouse_flags_insights_forwarded_total{environment="shop:test"}')).toBe(60);
  await expect.poll(() => insights.metric("posthouse_flags_insights_queue_events"), wait).toBe(0);
});

test.each([0, 500, 503, 408])(
  "after an answer of %i it tries again until FeatBit takes them",
  async (status) => {
    await using server = await startEventServer();
    let failures = 2;
    server.answer = () => (failures-- > 0 ? status : 200);
    await using insights = await startInsights({ event_uri: server.url });
    expect(await insights.track([eventOf(1)])).toBe(200);
    await expect.poll(() => numbersOf(server.taken()), wait).toEqual([1]);
    expect(await insights.metric("posthouse_flags_insights_retries_total")).toBe(2);
    await expect.poll(() => insights.insights.status(), wait).toMatchObject({ trouble: undefined });
  },
);

test("429 holds the key as long as is asked for, and no other key", async () => {
  await using server = await startEventServer();
  let limited = 1;
  server.answer = ({ headers }) =>
    headers.authorization === otherKey && limited-- > 0 ? ([429, "1"] as const) : 200;
  await using insights = await startInsights({ event_uri: server.url });
  expect(await insights.track([eventOf(1)], otherKey)).toBe(200);
  await expect.poll(() => server.received.length, wait).toBe(1);
  expect(await insights.track([eventOf(2)])).toBe(200);
  await expect.poll(() => numbersOf(server.taken()), wait).toEqual([1, 2]);
});

test("a key that FeatBit refuses is held and shown, others go on, and nothing is lost", async () => {
  await using server = await startEventServer();
  server.answer = ({ headers }) => (headers.authorization === otherKey ? 401 : 200);
  await using insights = await startInsights({ event_uri: server.url });
  expect(await insights.track([eventOf(1), eventOf(2)], otherKey)).toBe(200);
  await expect
    .poll(() => insights.insights.status(), wait)
    .toMatchObject({
      held: [{ environment: "shop:test", reason: "status 401" }],
    });
  expect(await insights.track([eventOf(3)])).toBe(200);
  await expect.poll(() => numbersOf(server.taken()), wait).toEqual([3]);
  expect(insights.insights.status()).toMatchObject({ queue: { events: 2 } });
  expect(await insights.metric("posthouse_flags_insights_held_environments")).toBe(1);
});

test("an event that FeatBit cannot read is found among others, and dropped alone", async () => {
  await using server = await startEventServer();
  server.answer = ({ events }) => (numbersOf(events).includes(17) ? 400 : 200);
  await using insights = await startInsights({ event_uri: server.url });
  expect(await insights.track(upTo(40).map((number) => eventOf(number)))).toBe(200);
  await expect
    .poll(() => numbersOf(server.taken()), wait)
    .toEqual(upTo(40).filter((number) => number !== 17));
  await expect
    .poll(() => insights.metric('posthouse_flags_insights_dropped_total{reason="refused_400"}'), wait)
    .toBe(1);
  await expect.poll(() => insights.metric("posthouse_flags_insights_queue_events"), wait).toBe(0);
});

test.each([400, 404, 302])(
  "who answers everything with %i may be no FeatBit: nothing is dropped",
  async (status) => {
    await using server = await startEventServer();
    server.answer = () => status;
    await using insights = await startInsights({ event_uri: server.url });
    expect(await insights.track([eventOf(1), eventOf(2)])).toBe(200);
    await expect
      .poll(() => insights.entries.some(({ reason }) => reason === `status ${status}`), wait)
      .toBe(true);
    expect(insights.insights.status()).toMatchObject({ queue: { events: 2 } });
  },
);

test("what waits longer than max_age is dropped and counted", async () => {
  await using server = await startEventServer();
  server.answer = () => 503;
  await using insights = await startInsights({ event_uri: server.url, max_age: "1s" });
  expect(await insights.track([eventOf(1)])).toBe(200);
  await expect
    .poll(() => insights.metric('posthouse_flags_insights_dropped_total{reason="expired"}'), wait)
    .toBe(1);
  expect(await insights.metric("posthouse_flags_insights_queue_events")).toBe(0);
});

test("another address and another mode hold without a restart; what is queued waits for its mode", async () => {
  await using away = await startEventServer();
  away.answer = () => 503;
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: away.url });
  expect(await insights.track([eventOf(1)])).toBe(200);
  await expect.poll(() => away.received.length, wait).toBeGreaterThan(0);
  insights.configure({ mode: "drop" });
  await expect.poll(() => insights.insights.status(), wait).toMatchObject({ queue: undefined });
  expect(await insights.track([eventOf(2)])).toBe(200);
  insights.configure({ event_uri: server.url });
  await expect.poll(() => numbersOf(server.taken()), wait).toEqual([1]);
});

test("a corrected address is tried at once, however long the wrong one had to wait", async () => {
  await using wrong = await startEventServer();
  wrong.answer = ({ headers }) => (headers.authorization === otherKey ? 401 : 404);
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: wrong.url });
  expect(await insights.track([eventOf(1)])).toBe(200);
  expect(await insights.track([eventOf(2)], otherKey)).toBe(200);
  await expect.poll(() => wrong.received.length, wait).toBe(2);
  insights.configure({ event_uri: server.url });
  await expect.poll(() => numbersOf(server.taken()), wait).toEqual([1, 2]);
});

test("while the mode changes back and forth, no event that was answered with 200 is lost or misread", async () => {
  await using server = await startEventServer();
  await using insights = await startInsights({ event_uri: server.url });
  const promised: number[] = [];
  for (let number = 1; number <= 60; number++) {
    if (number % 10 === 0)
      insights.configure({ mode: number % 20 === 0 ? "forward" : "keep", event_uri: server.url });
    const status = await insights.track([eventOf(number)]);
    expect([200, 503]).toContain(status);
    if (status === 200) promised.push(number);
  }
  insights.configure({ event_uri: server.url });
  await expect
    .poll(() => insights.metric('posthouse_flags_insights_accepted_total{environment="shop:prod"}'), wait)
    .toBe(promised.length);
  expect(await insights.metric('posthouse_flags_insights_dropped_total{reason="invalid"}')).toBe(0);
});
