/** A broker, an agent and two receivers, with what can go wrong between them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LeekApi, startLeekApi } from "../leek-api.ts";
import type { IndexedDocument } from "../leek-index.ts";
import { type RabbitMq, startRabbitMq } from "../rabbitmq.ts";
import { type RedisServer, startRedis } from "../redis.ts";
import { mountSmallDisk, type SmallDisk } from "../small-disk.ts";
import { startTcpProxy, type TcpProxy } from "../tcp-proxy.ts";
import { startWebhookReceiver, type WebhookReceiver } from "../webhook-receiver.ts";
import { AgentLives } from "./agent-lives.ts";
import { type Arrival, Ledger } from "./ledger.ts";
import { type Producer, startAmqpProducer, startRedisProducer } from "./producer.ts";
import { type Post, postOf } from "./story.ts";

export type BrokerKind = "rabbitmq" | "redis";

export interface WorldOptions {
  readonly broker: BrokerKind;
  readonly clockLibrary?: string | undefined;
}

export interface World extends AsyncDisposable {
  readonly kind: BrokerKind;
  readonly broker: RabbitMq | RedisServer;
  readonly proxy: TcpProxy;
  readonly producer: Producer;
  readonly agent: AgentLives;
  readonly webhook: WebhookReceiver;
  /** What the webhook took, in order. */
  readonly arrivals: Arrival[];
  readonly leek: LeekApi;
  /** What it took, in order. */
  readonly posts: Post[];
  readonly disk: SmallDisk | { readonly missing: string };
  readonly ledgers: Readonly<Record<SinkName, Ledger>>;
  /** How many clients of Redis listen; undefined: it does not answer. */
  listeners(): Promise<number | undefined>;
}

export type SinkName = "webhook" | "leek";

export const sinkNames: readonly SinkName[] = ["webhook", "leek"];
/** Celery's `event_exchange` of each: so each sink has a queue, or a channel, of its own. */
export const exchangeOf = (sink: SinkName): string => `ev${sink}`;
export const subscriptionOf = (sink: SinkName): string => `${sink}-test`;
export const appEnv = "test";

const diskMegabytes = 32;
const appKey = "the-app-key";
/** Small enough that a test can fill it. */
export const outputLimit = "pubsub 256kb 128kb 10";

export async function startWorld(options: WorldOptions): Promise<World> {
  const { broker: kind, clockLibrary } = options;
  await using stack = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "posthouse-delivery-"));
  stack.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const state = join(folder, "state");
  const disk = await mountSmallDisk(state, diskMegabytes);
  if (!("missing" in disk)) stack.use(disk);
  const rabbit = kind === "rabbitmq" ? stack.use(await startRabbitMq()) : undefined;
  const redis =
    kind === "redis"
      ? stack.use(await startRedis({ config: [`client-output-buffer-limit ${outputLimit}`] }))
      : undefined;
  const broker = rabbit ?? redis;
  if (broker === undefined) throw new TypeError(`there is no broker ${kind}`);
  const proxy = stack.use(await startTcpProxy(broker.port));
  const webhook = stack.use(await startWebhookReceiver());
  const posts: Post[] = [];
  const onStored = (documents: readonly IndexedDocument[]): void => {
    const now = performance.now();
    for (const document of documents) posts.push(postOf(document, now, agent.life));
  };
  const leek = stack.use(await startLeekApi({ appKey, remembersPosts: false, onStored }));
  const amqp = rabbit && stack.use(startAmqpProducer(rabbit));
  const pubsub = redis && stack.use(startRedisProducer(redis));
  const producer = amqp ?? pubsub;
  if (producer === undefined) throw new TypeError(`there is no producer for ${kind}`);
  const url =
    rabbit === undefined
      ? `redis://127.0.0.1:${proxy.port}/0`
      : `amqp://guest:guest@127.0.0.1:${proxy.port}//`;
  const shared = (sink: SinkName) => ({
    broker: url,
    exchange: exchangeOf(sink),
    app_name: sink,
    app_env: appEnv,
    request_timeout: "2s",
    concurrency_pool_size: 3,
    batch_max_number_of_messages: 100,
    ...(rabbit === undefined ? {} : { quorum: true, queue: `q${sink}` }),
  });
  const subscriptions = [
    { ...shared("webhook"), webhook: { url: webhook.url } },
    { ...shared("leek"), api_url: leek.url, app_key: appKey },
  ];
  const agent = new AgentLives({ folder, state, subscriptions, clockLibrary });
  stack.defer(() => agent.kill());
  await agent.prepare();
  const arrivals: Arrival[] = [];
  const owned = stack.move();
  return {
    ...{ kind, broker, proxy, producer, agent, webhook, arrivals, leek, posts, disk },
    ledgers: { webhook: new Ledger(), leek: new Ledger() },
    async listeners() {
      const answer = await pubsub?.client.call("PUBSUB", "NUMPAT").catch(() => undefined);
      return answer === undefined ? undefined : Number(answer);
    },
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
