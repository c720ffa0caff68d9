import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, Secret } from "@posthouse/service";
import { type LeekApi, startLeekApi } from "@posthouse/testkit/leek-api";
import { startWebhookReceiver, type WebhookReceiver } from "@posthouse/testkit/webhook-receiver";
import { onTestFinished } from "vitest";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { createDeadLetters, type DeadLetter, type DeadLetters } from "../../src/events/dead-letters.ts";
import { createIntake } from "../../src/events/intake.ts";
import { createPipeline, type Pipeline, type PipelineOptions } from "../../src/events/pipeline.ts";
import { createLeekSink, type LeekSinkOptions } from "../../src/events/sinks/leek.ts";
import type { Sink } from "../../src/events/sinks/sink.ts";
import { createWebhookSink, type WebhookSinkOptions } from "../../src/events/sinks/webhook.ts";
import { largestRecordBytes } from "../../src/events/spooled-message.ts";
import { createSpool, type Spool, type SpoolOptions } from "../../src/spool/spool.ts";
import { amqp, type Json, taskEvent } from "./captures.ts";

export const silent: ReturnType<typeof createLog> = createLog({ level: "silent", format: "json" });

/** Delays of which a test does not notice much. */
export const soon = { failedMs: [2, 20], heldMs: [10, 30] } as const;

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-events-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function leekSink(apiUrl: string, options: Partial<LeekSinkOptions> = {}): Sink {
  const names = { orgName: "mono", appName: "leek", appEnv: "prod", appKey: new Secret("secret") };
  const sink = createLeekSink({ apiUrl, ...names, connections: 4, ...options });
  onTestFinished(() => sink.close());
  return sink;
}

export function webhookSink(url: string, options: Partial<WebhookSinkOptions> = {}): Sink {
  const sink = createWebhookSink({ url, connections: 4, ...options });
  onTestFinished(() => sink.close());
  return sink;
}

export async function leekApi(): Promise<LeekApi> {
  const api = await startLeekApi();
  onTestFinished(() => api[Symbol.asyncDispose]());
  return api;
}

export async function webhook(): Promise<WebhookReceiver> {
  const receiver = await startWebhookReceiver();
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  return receiver;
}

export interface Subject {
  readonly spool: Spool;
  readonly deadLetters: DeadLetters;
  readonly pipeline: Pipeline;
  /** Gives messages to the intake; resolves when all are durable. */
  take(...messages: readonly BrokerMessage[]): Promise<void>;
  /** Resolves when nothing in the spool is left to be done. */
  settled(timeoutMs?: number): Promise<void>;
  dead(): readonly DeadLetter[];
  stop(): Promise<void>;
}

export interface SubjectOptions extends Partial<PipelineOptions> {
  readonly sink: Sink;
  readonly folder?: string;
  readonly spoolOptions?: Partial<SpoolOptions>;
}

/** All from the intake to the sink, running. */
export async function subject(options: SubjectOptions): Promise<Subject> {
  const folder = options.folder ?? (await temporaryFolder());
  const spool = createSpool({
    directory: join(folder, "spool"),
    maxBytes: 64 * 2 ** 20,
    maxRecordBytes: largestRecordBytes,
    log: silent,
    ...options.spoolOptions,
  });
  const deadLetters = createDeadLetters({ file: join(folder, "state.db"), log: silent });
  await spool.start();
  await deadLetters.start();
  const pipeline = createPipeline({
    name: "leek-prod",
    spool,
    deadLetters,
    log: silent,
    maxEvents: 100,
    maxBytes: 2 ** 20,
    windowMs: 20,
    concurrency: 1,
    delays: soon,
    ...options,
  });
  await pipeline.start();
  const stop = async (): Promise<void> => {
    await pipeline.stop(2000);
    await spool.stop(2000);
    await deadLetters.stop(2000);
  };
  onTestFinished(stop);
  const intake = createIntake({ spool, log: silent });
  return {
    spool,
    deadLetters,
    pipeline,
    async take(...messages) {
      const done = messages.map(
        (message) =>
          new Promise<void>((resolve) => {
            const offer = (): void => {
              if (!intake.take(message, resolve)) intake.onRoom(offer);
            };
            offer();
          }),
      );
      await Promise.all(done);
    },
    async settled(timeoutMs = 20_000) {
      const end = performance.now() + timeoutMs;
      while (spool.gauges().records > 0) {
        if (performance.now() > end) throw new Error(`${spool.gauges().records} records are not settled`);
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    },
    dead: () => deadLetters.list({ limit: 1000 }),
    stop,
  };
}

/** A message with one event each; their clocks count up, their tasks take turns. */
export function numbered(count: number, tasks: number = count): BrokerMessage[] {
  return Array.from({ length: count }, (_, clock) => amqp([numberedEvent(clock, tasks)]));
}

export function numberedEvent(clock: number, tasks: number): object {
  return taskEvent({ uuid: `task-${clock % tasks}`, clock, timestamp: 1795223756 + clock });
}

export interface Received {
  readonly id: string;
  readonly event: Json;
}

/** The events that a receiver took, in order. */
export function eventsOf({ requests }: Pick<WebhookReceiver, "requests">): Received[] {
  return requests.flatMap(({ headers, body }) => {
    const text = body.toString();
    if (headers["content-type"] === "application/json") return JSON.parse(text) as Received[];
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Received);
  });
}

export const clocksOf = (received: readonly Received[]): number[] =>
  received.map(({ event }) => Number(event.clock));

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

/** In each task the clocks must not go back, but for what was sent again. */
export function firstArrivals(received: readonly Received[]): Map<string, number[]> {
  const seen = new Set<string>();
  const byTask = new Map<string, number[]>();
  for (const { id, event } of received) {
    if (seen.has(id)) continue;
    seen.add(id);
    const task = String(event.uuid ?? event.hostname);
    byTask.set(task, [...(byTask.get(task) ?? []), Number(event.clock)]);
  }
  return byTask;
}
