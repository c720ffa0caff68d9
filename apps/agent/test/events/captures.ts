import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CeleryEvent, TaskEvent } from "../../src/events/celery/event.ts";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { readEvents } from "../../src/events/celery/received-event.ts";

export type Json = Record<string, unknown>;

function lines(file: string): Json[] {
  const text = readFileSync(join(import.meta.dirname, "fixtures", file), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** The recorded messages, as the brokers gave them. */
export function capturedMessages(broker: "rabbitmq" | "redis"): BrokerMessage[] {
  return lines(`${broker}.jsonl`)
    .filter(({ channel }) => channel === undefined || String(channel).startsWith("/0.celeryev/"))
    .map((line) =>
      broker === "rabbitmq"
        ? {
            transport: "amqp",
            body: Buffer.from(String(line.body_raw)),
            contentType: String(line.content_type),
            contentEncoding: String(line.content_encoding),
          }
        : { transport: "redis", payload: Buffer.from(String(line.envelope_raw)) },
    );
}

/** Their events; throws when one is not valid. */
export function capturedEvents(broker: "rabbitmq" | "redis"): CeleryEvent[] {
  return capturedMessages(broker).flatMap((message) =>
    readEvents(message, { carryUnknown: false }).map((read) => {
      if (read.kind === "poison") throw new Error(`${read.reason}: ${read.detail}`);
      return read.event;
    }),
  );
}

/** The bodies of what Leek's agent posted, in order. */
export function capturedPosts(): Json[][] {
  return lines("leek-agent-posts.jsonl")
    .filter(({ method }) => method === "POST")
    .map(({ body }) => body as Json[]);
}

/** A `task-sent` as Celery sends it, with changes. */
export function taskEvent(changes: Json = {}): TaskEvent {
  return {
    hostname: "w1@vm",
    utcoffset: 0,
    pid: 7,
    clock: 1,
    uuid: "0000-1",
    timestamp: 1795223756.4264948,
    type: "task-sent",
    ...changes,
  } as TaskEvent;
}

export function workerEvent(changes: Json = {}): CeleryEvent {
  const software = { sw_ident: "py-celery", sw_ver: "5.2.6", sw_sys: "Linux" };
  const common = { hostname: "w1@vm", utcoffset: 0, pid: 7, clock: 1, timestamp: 1795223756.5 };
  return { ...common, freq: 2, ...software, type: "worker-heartbeat", ...changes } as unknown as CeleryEvent;
}

/** A RabbitMQ message with this body. */
export function amqp(body: unknown): BrokerMessage {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return {
    transport: "amqp",
    body: Buffer.from(text),
    contentType: "application/json",
    contentEncoding: "utf-8",
  };
}
