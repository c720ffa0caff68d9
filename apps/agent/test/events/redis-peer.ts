import { createLog } from "@posthouse/service";
import { needRedis, type RedisServer } from "@posthouse/testkit/redis";
import { until } from "@posthouse/testkit/until";
import { Redis } from "ioredis";
import { parseBrokerUrls } from "../../src/events/broker-url.ts";
import {
  createRedisSource,
  type RedisSource,
  type RedisSourceOptions,
} from "../../src/events/redis/redis-source.ts";
import { TestIntake } from "./test-intake.ts";

export const redis: { readonly path: string } | { readonly missing: string } = await needRedis();
if ("missing" in redis) console.warn(`NOT TESTED: ${redis.missing}`);

export interface RedisSourceUnderTest extends AsyncDisposable {
  readonly source: RedisSource;
  readonly intake: TestIntake;
  readonly lines: string[];
}

export function redisBrokers(url: string): RedisSourceOptions["brokers"] {
  const brokers = parseBrokerUrls(url, "broker");
  if (brokers.kind !== "redis") throw new Error("not an address of Redis");
  return brokers;
}

/** A source of the exchange `celeryev`, started. */
export async function startRedisSource(
  url: string,
  settings: Partial<RedisSourceOptions> = {},
): Promise<RedisSourceUnderTest> {
  const intake = new TestIntake();
  const lines: string[] = [];
  const log = createLog({
    format: "json",
    level: "debug",
    destination: { write: (line) => lines.push(line) },
  });
  const source = createRedisSource({
    name: "shop-prod",
    brokers: redisBrokers(url),
    exchange: "celeryev",
    routingKey: "#",
    intake,
    log,
    ...settings,
  });
  await source.start();
  return { source, intake, lines, [Symbol.asyncDispose]: () => source.stop(2000) };
}

export async function receives({ source }: RedisSourceUnderTest): Promise<void> {
  await until("the source receives", async () => source.status.state === "receiving");
}

export async function redisTexts({ intake }: RedisSourceUnderTest, count: number): Promise<string[]> {
  await until(`${count} messages arrive`, async () => intake.taken.length >= count);
  return intake.texts;
}

/** A client of Redis beside the source. */
export async function startClient(server: RedisServer): Promise<Redis & AsyncDisposable> {
  const client = new Redis(server.port, "127.0.0.1", { retryStrategy: () => 50 });
  client.on("error", () => {});
  return Object.assign(client, {
    async [Symbol.asyncDispose]() {
      client.disconnect();
    },
  });
}
