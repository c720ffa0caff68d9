import { connect } from "amqplib";
import type { CeleryTraffic } from "./celery-traffic.ts";

export interface RabbitMqTrafficOptions {
  readonly url: string;
  /** Declared as the agent declares them: durable, and bound with `#`. */
  readonly exchange: string;
  readonly queue: string;
  readonly traffic: CeleryTraffic;
}

/** A publisher of Celery's events beside the agent. */
export interface RabbitMqTraffic extends AsyncDisposable {
  /** Publishes so many more; resolves with how many there are in all when RabbitMQ has them. */
  publish(count: number): Promise<number>;
  /** Messages that wait in the queue for a consumer. */
  waiting(): Promise<number>;
}

export async function startRabbitMqTraffic(options: RabbitMqTrafficOptions): Promise<RabbitMqTraffic> {
  const { url, exchange, queue, traffic } = options;
  const connection = await connect(url);
  connection.on("error", () => {});
  const channel = await connection.createConfirmChannel();
  channel.on("error", () => {});
  await channel.assertExchange(exchange, "topic", { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.bindQueue(queue, exchange, "#");
  const properties = {
    contentType: "application/json",
    contentEncoding: "utf-8",
    deliveryMode: 1,
    headers: { hostname: "w1@vm" },
  };
  let next = 0;
  return {
    async publish(count) {
      const end = next + count;
      while (next < end) {
        const group = Math.min(end, next + 5000);
        for (; next < group; next++) channel.publish(exchange, "task.multi", traffic.body(next), properties);
        await channel.waitForConfirms();
      }
      return next;
    },
    waiting: async () => (await channel.checkQueue(queue)).messageCount,
    [Symbol.asyncDispose]: () => connection.close().catch(() => {}),
  };
}
