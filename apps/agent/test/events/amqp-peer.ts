import { createLog } from "@posthouse/service";
import { needRabbitMq, type RabbitMq } from "@posthouse/testkit/rabbitmq";
import { until } from "@posthouse/testkit/until";
import { connect } from "amqplib";
import { type AmqpSourceOptions, createAmqpSource } from "../../src/events/amqp/amqp-source.ts";
import { parseBrokerUrls } from "../../src/events/broker-url.ts";
import type { Source } from "../../src/events/source.ts";
import { TestIntake } from "./test-intake.ts";

export const rabbitMq: { readonly path: string } | { readonly missing: string } = await needRabbitMq();
if ("missing" in rabbitMq) console.warn(`NOT TESTED: ${rabbitMq.missing}`);

export interface SourceUnderTest extends AsyncDisposable {
  readonly source: Source;
  readonly intake: TestIntake;
  /** What it logged. */
  readonly lines: string[];
  /** The name of its exchange and of its queue. */
  readonly object: string;
}

let names = 0;

/** A source of its own exchange and queue, started. */
export async function startSource(
  url: string,
  settings: Partial<AmqpSourceOptions> = {},
): Promise<SourceUnderTest> {
  const intake = new TestIntake();
  const lines: string[] = [];
  const log = createLog({
    format: "json",
    level: "debug",
    destination: { write: (line) => lines.push(line) },
  });
  const brokers = parseBrokerUrls(url, "broker", "round-robin");
  if (brokers.kind !== "amqp") throw new Error("not an address of RabbitMQ");
  const object = settings.queue ?? `test${++names}`;
  const source = createAmqpSource({
    name: "shop-prod",
    brokers,
    exchange: object,
    queue: object,
    routingKey: "#",
    quorum: false,
    prefetch: 1000,
    intake,
    log,
    ...settings,
  });
  await source.start();
  return { source, intake, lines, object, [Symbol.asyncDispose]: () => source.stop(2000) };
}

export async function receiving({ source }: SourceUnderTest): Promise<void> {
  await until("the source receives", async () => source.status.state === "receiving", 60_000);
}

export async function texts({ intake }: SourceUnderTest, count: number): Promise<string[]> {
  await until(`${count} messages arrive`, async () => intake.taken.length >= count, 60_000);
  return intake.texts;
}

export interface Publisher extends AsyncDisposable {
  /** Resolves when RabbitMQ has all of them. */
  publish(exchange: string, ...bodies: string[]): Promise<void>;
  /** Messages that wait and consumers, of a queue that is there. */
  queue(name: string): Promise<{ readonly messages: number; readonly consumers: number }>;
  deleteQueue(name: string): Promise<void>;
  declareQueue(name: string, args: Record<string, unknown>): Promise<void>;
  declareExchange(name: string, type: string): Promise<void>;
}

/** A client of RabbitMQ beside the source. */
export async function startPublisher(broker: RabbitMq, vhost?: string): Promise<Publisher> {
  const connection = await connect(broker.url(vhost));
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  return {
    async publish(exchange, ...bodies) {
      for (const body of bodies)
        channel.publish(exchange, "task.sent", Buffer.from(body), { contentType: "application/json" });
      await channel.waitForConfirms();
    },
    async queue(name) {
      const found = await channel.checkQueue(name);
      return { messages: found.messageCount, consumers: found.consumerCount };
    },
    deleteQueue: async (name) => void (await channel.deleteQueue(name)),
    declareQueue: async (name, args) =>
      void (await channel.assertQueue(name, { durable: true, arguments: args })),
    declareExchange: async (name, type) => void (await channel.assertExchange(name, type)),
    [Symbol.asyncDispose]: () => connection.close().catch(() => {}),
  };
}
