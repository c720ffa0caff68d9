/**
 * The soak of an outage: events come from RabbitMQ at a steady rate while the Leek API is down. What the agent takes of
 * memory is watched throughout; once the API is there again, every event must arrive.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { taskLives } from "./celery-traffic.ts";
import { type EventsAgent, exchange, queue, startEventsAgent } from "./events-agent.ts";
import { type LeekApiPeer, startLeekApiPeer } from "./leek-api-peer.ts";
import { startRabbitMq } from "./rabbitmq.ts";
import { type RabbitMqTraffic, startRabbitMqTraffic } from "./rabbitmq-traffic.ts";
import { until } from "./until.ts";

export interface EventsOutageOptions {
  readonly outageMs: number;
  readonly perSecond: number;
  /** Runs the agent as it is installed: from source it takes more memory. */
  readonly isBuilt: boolean;
  /** During the outage. Undefined: not judged. */
  readonly memoryLimitBytes?: number;
  progress?(text: string): void;
}

export interface EventsOutageResult {
  readonly published: number;
  /** Of them, at the API in the end. */
  readonly arrived: number;
  /** Of those, more than once. */
  readonly repeated: number;
  /** In the spool when the API came back. */
  readonly backlog: number;
  readonly backlogBytes: number;
  readonly drainMs: number;
  /** Resident memory of the process: before the first event, and the most of each phase. */
  readonly memory: { readonly rest: number; readonly outage: number; readonly drain: number };
}

/** Before the outage, with the API there. */
const quietMs = 2000;
const tickMs = 100;
const lookMs = 250;
const drainWithinMs = 10 * 60_000;

export async function soakEventsOutage(options: EventsOutageOptions): Promise<EventsOutageResult> {
  const { isBuilt } = options;
  await using broker = await startRabbitMq();
  await using api = await startLeekApiPeer();
  const traffic = taskLives();
  await using source = await startRabbitMqTraffic({ url: broker.url(), exchange, queue, traffic });
  const broken = { broker: broker.url(), apiUrl: api.url, spoolSize: "1GiB" };
  await using agent = await startEventsAgent({ ...broken, isBuilt });
  await agent.want("start");
  await sleep(quietMs);
  return await watchOutage(options, agent, api, source);
}

/** What is not as it must be, in words; empty when all is well. */
export function eventsOutageProblems(result: EventsOutageResult, options: EventsOutageOptions): string[] {
  const problems: string[] = [];
  const { published, arrived, backlog, memory } = result;
  const due = (options.outageMs / 1000) * options.perSecond;
  if (arrived !== published) problems.push(`${arrived} of ${published} events arrived`);
  if (published < 0.9 * due) problems.push(`${published} events were published, and ${due} were to be`);
  if (backlog < 0.8 * due) problems.push(`only ${backlog} events waited at the end of the outage`);
  if (options.memoryLimitBytes !== undefined && memory.outage > options.memoryLimitBytes)
    problems.push(
      `it took ${mebibytes(memory.outage)} MiB, and ${mebibytes(options.memoryLimitBytes)} are allowed`,
    );
  return problems;
}

export const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);

async function watchOutage(
  { outageMs, perSecond, progress }: EventsOutageOptions,
  agent: EventsAgent,
  api: LeekApiPeer,
  source: RabbitMqTraffic,
): Promise<EventsOutageResult> {
  const memory = { rest: (await agent.usage()).rssBytes, outage: 0, drain: 0 };
  let phase: "outage" | "drain" = "outage";
  let isOver = false;
  const watching = (async () => {
    // An agent that ended is noticed by who asks it.
    for (; !isOver; await sleep(lookMs)) {
      const usage = await agent.usage().catch(() => undefined);
      memory[phase] = Math.max(memory[phase], usage?.rssBytes ?? 0);
    }
  })();
  try {
    const publishing = publishSteadily(source, quietMs + outageMs, perSecond);
    // It is awaited below; should something else fail first, that is told.
    publishing.catch(() => {});
    await sleep(quietMs);
    await api.setDown(true);
    await tellUntil(publishing, agent, (text) => progress?.(`down: ${text}`));
    const published = await publishing;
    const { spool } = await agent.status();
    await api.setDown(false);
    phase = "drain";
    const startedAt = performance.now();
    // What is lost is told by the result.
    await until("all events arrive", () => hasAll(api, published), drainWithinMs).catch(() => {});
    const figures = await api.figures();
    const drainMs = performance.now() - startedAt;
    return {
      ...{ published, arrived: figures.identities, repeated: figures.events - figures.identities },
      ...{ backlog: spool.records, backlogBytes: spool.bytes, drainMs, memory },
    };
  } finally {
    isOver = true;
    await watching;
  }
}

const hasAll = async (api: LeekApiPeer, published: number): Promise<boolean> =>
  (await api.figures()).identities >= published;

async function publishSteadily(source: RabbitMqTraffic, ms: number, perSecond: number): Promise<number> {
  const startedAt = performance.now();
  let published = 0;
  for (let elapsed = 0; elapsed < ms; elapsed = performance.now() - startedAt) {
    const due = Math.floor((elapsed / 1000) * perSecond);
    if (due > published) published = await source.publish(due - published);
    await sleep(tickMs);
  }
  return published;
}

async function tellUntil(
  end: Promise<unknown>,
  agent: EventsAgent,
  tell: (text: string) => void,
): Promise<void> {
  const ended = end.then(
    () => true,
    () => true,
  );
  while (!(await Promise.race([ended, sleep(10_000, false)]))) {
    const { spool } = await agent.status();
    tell(`${spool.records} events wait, ${mebibytes((await agent.usage()).rssBytes)} MiB of memory`);
  }
}
