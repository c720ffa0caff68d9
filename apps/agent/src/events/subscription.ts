/** One running subscription: source, intake, spool, pipeline and sink, put together. */
import { join } from "node:path";
import { type Log, startParts, stopParts } from "@posthouse/service";
import type { SubscriptionConfig } from "../config/subscription.ts";
import { createSpool, type Spool } from "../spool/spool.ts";
import { createAmqpSource } from "./amqp/amqp-source.ts";
import type { BrokerList } from "./broker-address.ts";
import { parseBrokerUrls } from "./broker-url.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { createIntake } from "./intake.ts";
import type { Obstacle, RunningReport } from "./messages.ts";
import { createPipeline } from "./pipeline.ts";
import { createRedisSource } from "./redis/redis-source.ts";
import { createLeekSink } from "./sinks/leek.ts";
import type { Sink } from "./sinks/sink.ts";
import { createWebhookSink } from "./sinks/webhook.ts";
import type { Intake, Source, SourceStatus } from "./source.ts";
import { largestRecordBytes } from "./spooled-message.ts";

export interface SubscriptionSurroundings {
  /** The state directory. */
  readonly state: string;
  readonly deadLetters: Pick<DeadLetters, "add">;
  readonly log: Log;
}

export interface RunningSubscription {
  readonly spool: Spool;
  readonly intake: Intake;
  /** Delivers nothing; what comes is kept. */
  pause(): void;
  resume(): void;
  report(): RunningReport;
  /** Receives no more, delivers what it can, and closes. */
  stop(deadlineMs: number): Promise<void>;
}

/** @throws SPOOL_IN_USE, SPOOL_UNUSABLE. The broker and the receiver may be away: they are tried for ever. */
export async function startSubscription(
  config: SubscriptionConfig,
  { state, deadLetters, log }: SubscriptionSurroundings,
): Promise<RunningSubscription> {
  const { name } = config;
  const spool = createSpool({
    directory: join(state, "spool", encodeURIComponent(name)),
    maxBytes: config.spool_size,
    maxRecordBytes: recordBytesOf(config.spool_size),
    log,
  });
  const intake = createIntake({ spool, log });
  const sink = createSink(config);
  const pipeline = createPipeline({
    ...{ name, spool, sink, deadLetters, log },
    maxEvents: config.batch_max_number_of_messages,
    maxBytes: config.batch_max_size_in_mb * 2 ** 20,
    windowMs: config.batch_max_window_in_seconds * 1000,
    concurrency: config.concurrency_pool_size,
    carryUnknown: config.carry_unknown,
  });
  const source = createSource(config, intake, log);
  const parts = [spool, pipeline, source];
  try {
    await startParts(parts, { log });
  } catch (error) {
    await sink.close();
    throw error;
  }
  return {
    spool,
    intake,
    pause: () => pipeline.pause(),
    resume: () => pipeline.resume(),
    report() {
      const { writeErrors, readErrors, settleErrors } = spool.counters;
      const broker = source.status;
      return {
        broker,
        blockedBy: obstacleOf(broker, spool.obstacle),
        target: { ...pipeline.status, address: sink.target },
        metrics: pipeline.metrics(),
        intake: { ...intake.counters },
        spoolErrors: writeErrors + readErrors + settleErrors,
      };
    },
    async stop(deadlineMs) {
      try {
        await stopParts(parts, deadlineMs);
      } finally {
        await sink.close();
      }
    },
  };
}

/** A segment holds at least one record and goes as a whole, so the spool has room for the last one and a next. */
const recordBytesOf = (spoolSize: number): number => Math.min(largestRecordBytes, Math.floor(spoolSize / 4));

function obstacleOf({ state, heldBackFor }: SourceStatus, spool: Error | undefined): Obstacle | undefined {
  if (spool !== undefined) return { by: "disk", message: spool.message };
  if (heldBackFor !== undefined) return { by: "broker", message: heldBackFor };
  return state === "blocked" ? { by: "disk", message: "it is slower than what arrives" } : undefined;
}

export function createSource(config: SubscriptionConfig, intake: Intake, log: Log): Source {
  const { name, exchange, queue, routing_key: routingKey } = config;
  const brokers = brokersOf(config);
  if (brokers.kind === "amqp") {
    const { quorum, prefetch_count: prefetch } = config;
    return createAmqpSource({ name, brokers, exchange, queue, routingKey, quorum, prefetch, intake, log });
  }
  return createRedisSource({ name, brokers, exchange, routingKey, intake, log, pair: config.pair });
}

export function createSink(config: SubscriptionConfig): Sink {
  const { webhook, gzip, concurrency_pool_size: connections, request_timeout: requestTimeoutMs } = config;
  const shared = { gzip, connections, requestTimeoutMs };
  if (webhook !== undefined) return createWebhookSink({ ...shared, ...webhook });
  const { api_url, app_key } = config;
  if (api_url === undefined || app_key === undefined) throw new TypeError(`${config.name} has no receiver`);
  return createLeekSink({
    ...shared,
    apiUrl: config.compat === "leek" ? new URL(api_url).origin : api_url,
    orgName: config.org_name,
    appName: config.app_name,
    appEnv: config.app_env,
    appKey: app_key,
  });
}

/** Throws BROKER_URL_UNUSABLE. */
export const brokersOf = ({ name, broker, failover_strategy }: SubscriptionConfig): BrokerList =>
  parseBrokerUrls(broker.reveal(), `subscription ${name}: broker`, failover_strategy);
