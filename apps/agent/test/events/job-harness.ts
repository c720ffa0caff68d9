import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { type LeekApi, startLeekApi } from "@posthouse/testkit/leek-api";
import { type RedisServer, startRedis } from "@posthouse/testkit/redis";
import { until } from "@posthouse/testkit/until";
import type { SubscriptionStatus } from "../../src/events/job.ts";
import { type Agent, agentConfigSchema, createAgent } from "../../src/index.ts";
import { collectLog } from "../harness.ts";
import type { Json } from "./captures.ts";
import { startClient } from "./redis-peer.ts";

/** An agent with subscriptions to a Redis of its own, which deliver to a fake Leek API. */
export interface EventsHarness extends AsyncDisposable {
  readonly folder: string;
  readonly redis: RedisServer;
  readonly api: LeekApi;
  readonly agent: Agent;
  readonly admin: string;
  readonly entries: readonly Json[];
  /** Settings of one that works, each of its own exchange. */
  settings(app: string, changes?: Json): Json;
  reload(...subscriptions: readonly Json[]): Promise<void>;
  ask(path: string, init?: RequestInit & { json?: unknown }): Promise<{ status: number; body: Json }>;
  /** Of one subscription, once it is as wanted. */
  status(name: string, isWanted?: (status: SubscriptionStatus) => boolean): Promise<SubscriptionStatus>;
  /** Publishes task-sent events with these uuids, as kombu does. */
  publish(app: string, ...uuids: readonly string[]): Promise<void>;
  publishBody(app: string, body: string): Promise<void>;
  /** Starts another agent on the same state. */
  restart(): Promise<void>;
}

const token = "s3cret-of-admin";

/** Runs in a folder of its own, or in a given one, which stays. */
export async function startEventsHarness(
  first: (settings: EventsHarness["settings"]) => Json[],
  {
    subscriptionsFile,
    folder: given,
  }: {
    /** A path for `subscriptions_file`; below the harness's folder. */
    readonly subscriptionsFile?: string;
    readonly folder?: string;
  } = {},
): Promise<EventsHarness> {
  const folder = given ?? (await mkdtemp(join(tmpdir(), "posthouse-events-")));
  const redis = await startRedis();
  const api = await startLeekApi({ appKey: "the-app-key" });
  const client = await startClient(redis);
  const { log, entries } = collectLog();
  const settings = (app: string, changes: Json = {}): Json => ({
    broker: `redis://:@127.0.0.1:${redis.port}/0`,
    exchange: `ev${app}`,
    app_name: app,
    app_env: "prod",
    api_url: api.url,
    app_key: "the-app-key",
    ...changes,
  });
  const configOf = (subscriptions: readonly Json[]) =>
    parseConfig(
      JSON.stringify({
        state: join(folder, "state"),
        admin: { listen: "127.0.0.1:0", token, hosts: ["agent.example.com"] },
        events: {
          subscriptions,
          ...(subscriptionsFile && { subscriptions_file: join(folder, subscriptionsFile) }),
        },
      }),
      "agent.yaml",
      agentConfigSchema,
      {},
    );
  let subscriptions = first(settings);
  let agent = createAgent(configOf(subscriptions), { log });
  await agent.start();

  const harness: EventsHarness = {
    ...{ folder, redis, api, entries, settings },
    get agent() {
      return agent;
    },
    get admin() {
      return `http://${agent.addresses.admin}`;
    },
    async reload(...next) {
      subscriptions = [...next];
      await agent.reload(configOf(next));
    },
    async ask(path, { json, ...init } = {}) {
      const response = await fetch(`${harness.admin}/events/${path}`, {
        ...init,
        headers: {
          authorization: `Bearer ${token}`,
          ...(json === undefined ? {} : { "content-type": "application/json" }),
          ...init.headers,
        },
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
      const text = await response.text();
      return { status: response.status, body: text.startsWith("{") ? JSON.parse(text) : { text } };
    },
    async status(name, isWanted = () => true) {
      let last: SubscriptionStatus | undefined;
      await until(`${name} is as wanted`, async () => {
        const { status, body } = await harness.ask(`subscriptions/${name}`);
        last = status === 200 ? (body as unknown as SubscriptionStatus) : undefined;
        return last !== undefined && isWanted(last);
      }).catch((error) => {
        throw new Error(`${error}: ${JSON.stringify(last)}`);
      });
      return last as SubscriptionStatus;
    },
    async publish(app, ...uuids) {
      for (const uuid of uuids) {
        const more = { name: "a.b", args: "()", kwargs: "{}", retries: 0, queue: "q" };
        const common = { hostname: "h@vm", utcoffset: 0, pid: 1, clock: 1, timestamp: Date.now() / 1000 };
        await harness.publishBody(app, JSON.stringify({ type: "task-sent", uuid, ...common, ...more }));
      }
    },
    async publishBody(app, body) {
      const envelope = {
        body: Buffer.from(body).toString("base64"),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        headers: {},
        properties: { body_encoding: "base64", delivery_tag: "t" },
      };
      await client.publish(`/0.ev${app}/task.sent`, JSON.stringify(envelope));
    },
    async restart() {
      await agent.stop(5000);
      agent = createAgent(configOf(subscriptions), { log });
      await agent.start();
    },
    async [Symbol.asyncDispose]() {
      await agent.stop(5000);
      client.disconnect();
      await api[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
      if (given === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
  return harness;
}

export const isRunning = ({ state }: SubscriptionStatus): boolean => state === "running";
