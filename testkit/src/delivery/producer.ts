import { type ConfirmChannel, connect } from "amqplib";
import { Redis } from "ioredis";
import type { RabbitMq } from "../rabbitmq.ts";
import type { RedisServer } from "../redis.ts";
import type { Outcome } from "./ledger.ts";

/** Publishes as Celery does, beside the proxy that stands before the agent; connects again for ever. */
export interface Producer extends AsyncDisposable {
  /** What is sent at another time is lost without a trace. */
  readonly isReady: boolean;
  /** Messages that RabbitMQ had no queue for. */
  readonly unroutable: number;
  /** Never rejects; resolves when the broker has answered, or is gone. */
  send(exchange: string, body: string): Promise<Outcome>;
}

const againMs = 100;
const routingKey = "task.multi";

export function startAmqpProducer(broker: RabbitMq): Producer {
  let channel: ConfirmChannel | undefined;
  let unroutable = 0;
  let isOver = false;
  let close = async (): Promise<void> => {};
  let timer: NodeJS.Timeout | undefined;
  const unanswered = new Set<(outcome: Outcome) => void>();
  const returned = new Set<string>();
  let sent = 0;

  function lost(): void {
    channel = undefined;
    for (const answer of unanswered) answer("uncertain");
    unanswered.clear();
    if (!isOver) timer = setTimeout(() => void open(), againMs);
  }

  async function open(): Promise<void> {
    try {
      const connection = await connect(broker.url());
      connection.on("error", () => {});
      connection.on("close", lost);
      close = () => connection.close().catch(() => {});
      const opened = await connection.createConfirmChannel();
      opened.on("error", () => {});
      opened.on("close", () => void close());
      opened.on("return", ({ properties }) => returned.add(String(properties.messageId)));
      channel = opened;
    } catch {
      await close();
      if (!isOver && channel === undefined) timer = setTimeout(() => void open(), againMs);
    }
  }

  void open();
  return {
    get isReady() {
      return channel !== undefined;
    },
    get unroutable() {
      return unroutable;
    },
    send(exchange, body) {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      const answer = (outcome: Outcome): void => {
        unanswered.delete(answer);
        resolve(outcome);
      };
      if (channel === undefined) return Promise.resolve("uncertain");
      const messageId = String(++sent);
      unanswered.add(answer);
      // Transient, as Celery's events are.
      const options = {
        mandatory: true,
        messageId,
        contentType: "application/json",
        contentEncoding: "utf-8",
      };
      try {
        channel.publish(exchange, routingKey, Buffer.from(body), options, (error) => {
          const isReturned = returned.delete(messageId);
          if (isReturned) unroutable++;
          answer(error === null && !isReturned ? "certain" : "uncertain");
        });
      } catch {
        answer("uncertain");
      }
      return promise;
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      clearTimeout(timer);
      await close();
    },
  };
}

export function startRedisProducer(server: RedisServer): Producer & { readonly client: Redis } {
  const client = new Redis(server.port, "127.0.0.1", {
    retryStrategy: () => againMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  });
  client.on("error", () => {});
  return {
    client,
    get isReady() {
      return client.status === "ready";
    },
    unroutable: 0,
    async send(exchange, body) {
      const envelope = {
        body: Buffer.from(body).toString("base64"),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        headers: {},
        properties: { body_encoding: "base64", delivery_tag: "t" },
      };
      // Redis says to how many it handed it.
      const receivers = await client
        .publish(`/0.${exchange}/${routingKey}`, JSON.stringify(envelope))
        .catch(() => 0);
      return receivers > 0 ? "certain" : "uncertain";
    },
    async [Symbol.asyncDispose]() {
      client.disconnect();
    },
  };
}
