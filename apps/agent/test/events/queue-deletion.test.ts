/** Removing a subscription of RabbitMQ says what becomes of its queue, and deletes it when asked, and no other. */

import { type RabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { startTcpProxy } from "@posthouse/testkit/tcp-proxy";
import { startWebhookReceiver } from "@posthouse/testkit/webhook-receiver";
import { connect } from "amqplib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rabbitMq } from "./amqp-peer.ts";
import { type EventsHarness, isRunning, startEventsHarness } from "./job-harness.ts";
import { redis } from "./redis-peer.ts";

const isPossible = "path" in rabbitMq && !("missing" in redis);

describe.runIf(isPossible)("the removal of a subscription of RabbitMQ", () => {
  let broker: RabbitMq;
  let hooks: Awaited<ReturnType<typeof startWebhookReceiver>>;
  let harness: EventsHarness;

  beforeAll(async () => {
    broker = await startRabbitMq();
    hooks = await startWebhookReceiver();
    harness = await startEventsHarness(() => []);
  }, 180_000);
  afterAll(async () => {
    await harness?.[Symbol.asyncDispose]();
    await hooks?.[Symbol.asyncDispose]();
    await broker?.[Symbol.asyncDispose]();
  });

  const settings = (app: string, queue: string, changes: object = {}) => ({
    ...{ app_name: app, app_env: "prod", broker: broker.url(), queue, webhook: { url: hooks.url } },
    ...changes,
  });
  async function add(app: string, queue: string, changes: object = {}): Promise<void> {
    const added = await harness.ask("subscriptions", { method: "POST", json: settings(app, queue, changes) });
    expect(added).toMatchObject({ status: 201 });
    await harness.status(`${app}-prod`, isRunning);
  }
  const remove = (app: string, query = "") =>
    harness.ask(`subscriptions/${app}-prod${query}`, { method: "DELETE" });
  const queues = async (): Promise<string[]> =>
    (await broker.ctl("--quiet", "--no-table-headers", "list_queues", "name")).trim().split("\n");

  it("leaves the queue, and says that it fills", async () => {
    await add("left", "left.queue");
    expect(await remove("left")).toMatchObject({
      status: 200,
      body: {
        removed: "left-prod",
        queue: {
          name: "left.queue",
          isDeleted: false,
          note: expect.stringContaining("stops all publishers"),
        },
      },
    });
    expect(await queues()).toContain("left.queue");
  });

  it("deletes it when asked, with what is in it", async () => {
    await add("gone", "gone.queue");
    await harness.ask("subscriptions/gone-prod/stop", { method: "POST" });
    const connection = await connect(broker.url());
    const channel = await connection.createConfirmChannel();
    for (let index = 0; index < 3; index++) channel.sendToQueue("gone.queue", Buffer.from("{}"));
    await channel.waitForConfirms();
    expect(await remove("gone", "?queue=wipe")).toMatchObject({
      status: 400,
      body: { code: "INVALID_QUERY" },
    });
    expect((await remove("gone", "?queue=delete")).body).toEqual({
      removed: "gone-prod",
      queue: { name: "gone.queue", isDeleted: true, messages: 3 },
    });
    expect(await queues()).not.toContain("gone.queue");

    await add("used", "used.queue");
    await channel.consume("used.queue", () => {});
    expect(await remove("used", "?queue=delete")).toMatchObject({
      status: 200,
      body: { queue: { isDeleted: false, note: expect.stringContaining("something else receives from it") } },
    });
    expect(await queues()).toContain("used.queue");
    await connection.close();
  });

  it("does nothing while the broker is away", async () => {
    const proxy = await startTcpProxy(broker.port);
    await add("away", "away.queue", { broker: `amqp://127.0.0.1:${proxy.port}` });
    await proxy[Symbol.asyncDispose]();
    expect(await remove("away", "?queue=delete")).toMatchObject({
      status: 422,
      body: { code: "BROKER_UNREACHABLE" },
    });
    await harness.status("away-prod", ({ wanted }) => wanted === "running");
    expect(await remove("away")).toMatchObject({ status: 200 });
  });

  it("is of RabbitMQ alone", async () => {
    await harness.ask("subscriptions", { method: "POST", json: harness.settings("cache") });
    expect(await remove("cache", "?queue=delete")).toMatchObject({
      status: 409,
      body: { code: "SUBSCRIPTION_NOT_RABBITMQ" },
    });
    expect((await remove("cache")).body).toEqual({ removed: "cache-prod" });
  });
});
