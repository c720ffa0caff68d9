/** The log tells of dead letters: of the first at once, of a flood in a few lines. */
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { collectLog } from "../harness.ts";
import { amqp } from "./captures.ts";
import { subject, webhook, webhookSink } from "./pipeline-harness.ts";

it("tells of poison at once, and of what follows together", async () => {
  const receiver = await webhook();
  const { log, entries } = collectLog();
  const events = await subject({ sink: webhookSink(receiver.url), log });
  const told = () => entries.filter(({ msg }) => /never be delivered/.test(String(msg)));
  await events.take(amqp("not JSON"));
  await until("the first is told", async () => told().length === 1);
  expect(told()).toMatchObject([{ level: "warn", subscription: "leek-prod", reasons: { "not-json": 1 } }]);
  for (let index = 0; index < 20; index++) await events.take(amqp(`[${index}`), amqp([{ type: index }]));
  await events.settled();
  await events.stop();
  const counts = told().flatMap(({ reasons }) => Object.values(reasons as Record<string, number>));
  expect(counts.reduce((sum, each) => sum + each, 0)).toBe(41);
  // One more when it ends; another for each minute that this took.
  expect(told().length).toBeLessThan(10);
  await events.stop();
});
