/**
 * Events of Celery from RabbitMQ and Redis to a Leek API; brokers, API and agent on the same machine.
 *
 * - RabbitMQ: a full queue is drained, through the spool, with every transformation, beside a bare loop that only parses
 *   and posts; and beside what is asked. The rate is that of the API's arrivals, without the last batch, which waits for more.
 * - Redis: so many a second for a minute, at the server's default limit of what may wait for us.
 * - redirects: their p99 meanwhile (`events-redirects.ts`).
 */
import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type CeleryTraffic, sentTasks, taskLives } from "@posthouse/testkit/celery-traffic";
import { type EventsAgent, exchange, queue, startEventsAgent } from "@posthouse/testkit/events-agent";
import { type LeekApiFigures, type LeekApiPeer, startLeekApiPeer } from "@posthouse/testkit/leek-api-peer";
import { needRabbitMq, startRabbitMq } from "@posthouse/testkit/rabbitmq";
import { type RabbitMqTraffic, startRabbitMqTraffic } from "@posthouse/testkit/rabbitmq-traffic";
import { needRedis, startRedis } from "@posthouse/testkit/redis";
import { needPackage } from "@posthouse/testkit/services";
import { until } from "@posthouse/testkit/until";
import { type Bench, type BenchCase, type BenchContext, BenchSkipped } from "./bench.ts";
import { arrived, batchEvents, type Drainer, startBareDrainer } from "./events-drain.ts";
import { measureRedirects, type RedirectsSizes } from "./events-redirects.ts";
import { compare, type Figures, interleave, median } from "./rounds.ts";

export interface EventsBenchSizes {
  /** In the queue, of each round. */
  readonly events: number;
  readonly redisPerSecond: number;
  readonly redisSeconds: number;
  readonly redirects: RedirectsSizes;
}

const asked = {
  perSecond: 16_000,
  cpuSecondsPer50k: 3,
  redisPerSecond: 25_000,
};
export const bench: Bench = createEventsBench({
  events: 100_000,
  redisPerSecond: 26_000,
  redisSeconds: 60,
  redirects: { events: 100_000, seconds: 3, isLasting: true },
});

export function createEventsBench(sizes: EventsBenchSizes): Bench {
  return {
    description:
      "task events from RabbitMQ and Redis to a Leek API; redirects meanwhile (--seconds: of Redis)",
    async *run(context) {
      const rabbitMq = await needRabbitMq();
      const redis = await needRedis();
      const wrk = await needPackage("wrk", "wrk");
      for (const each of [rabbitMq, redis, wrk]) if ("missing" in each) throw new BenchSkipped(each.missing);
      await using api = await startLeekApiPeer();
      {
        await using broker = await startRabbitMq();
        yield* measureRabbitMq(context, sizes, api, broker.url());
        yield* measureRedirects(context, sizes.redirects, {
          api,
          broker: broker.url(),
          wrk: "path" in wrk ? wrk.path : "",
        });
      }
      yield* measureRedis(context, sizes, api);
    },
  };
}

async function* measureRabbitMq(
  context: BenchContext,
  sizes: EventsBenchSizes,
  api: LeekApiPeer,
  url: string,
): AsyncGenerator<BenchCase> {
  const kinds: readonly (readonly [string, CeleryTraffic])[] = [
    ["lives of tasks", taskLives()],
    ["task-sent of 1 KB", sentTasks(1024)],
  ];
  for (const [name, traffic] of kinds) {
    await using source = await startRabbitMqTraffic({ url, exchange, queue, traffic });
    await using agent = await startEventsAgent({ broker: url, apiUrl: api.url });
    const drained: Drained = { context, api, source, events: sizes.events };
    const { ours, peer } = await interleave(
      context.rounds,
      (round) => drain(drained, `${name}, agent, round ${round}`, agent),
      async (round) => {
        await using bare = await startBareDrainer(url, api.url);
        return await drain(drained, `${name}, bare loop, round ${round}`, bare);
      },
    );
    yield* compare(`${name}, beside a bare loop`, ours, peer);
    const perSecond = median(ours.map((figures) => 1e6 / (figures["µs per event"] ?? Number.NaN)));
    yield {
      case: name,
      metric: "events a second (asked)",
      ours: perSecond,
      peer: asked.perSecond,
      ratio: asked.perSecond / perSecond,
    };
    const cpu = median(ours.map((figures) => (figures["CPU µs per event"] ?? Number.NaN) / 20));
    yield {
      case: name,
      metric: "CPU-s per 50,000 (allowed)",
      ours: cpu,
      peer: asked.cpuSecondsPer50k,
      ratio: cpu / asked.cpuSecondsPer50k,
    };
  }
}

interface Drained {
  readonly context: BenchContext;
  readonly api: LeekApiPeer;
  readonly source: RabbitMqTraffic;
  readonly events: number;
}

/** Fills the queue, then has it drained, until the API has every event. */
async function drain(
  { context, api, source, events }: Drained,
  name: string,
  drainer: Drainer,
): Promise<Figures> {
  await source.publish(events);
  await api.forget();
  const before = await drainer.usage();
  const most = watchMemory(drainer);
  await drainer.want("start");
  const figures = await arrived(api, events);
  const after = await drainer.usage();
  await drainer.want("stop");
  if (figures.events !== events) throw new Error(`${figures.events} events arrived, not ${events}`);
  const measured = {
    "µs per event": 1e6 / arrivalRate(figures, events),
    "CPU µs per event": ((after.cpuMs - before.cpuMs) * 1000) / events,
    "RSS MiB": (await most()) / 2 ** 20,
  };
  const rate = 1e6 / measured["µs per event"];
  const cpu = measured["CPU µs per event"] / 20;
  context.progress(
    `${name}: ${rate.toFixed(0)} events/s, ${cpu.toFixed(2)} CPU-s per 50,000, ${measured["RSS MiB"].toFixed(0)} MiB, ${figures.documents} documents (load ${loadavg()[0]?.toFixed(1)})`,
  );
  return measured;
}

/** Events a second from the first request to the last that was not waiting for more. */
function arrivalRate({ arrivals }: LeekApiFigures, events: number): number {
  const [first] = arrivals;
  const last = arrivals.find(([, count]) => count >= events - batchEvents);
  if (first === undefined || last === undefined) throw new Error("nothing arrived");
  return ((last[1] - first[1]) / (last[0] - first[0])) * 1000;
}

/** The most that it has until this is asked. */
function watchMemory({ usage }: Pick<Drainer, "usage">): () => Promise<number> {
  let most = 0;
  const look = async (): Promise<number> => {
    most = Math.max(most, (await usage()).rssBytes);
    return most;
  };
  const timer = setInterval(() => void look().catch(() => {}), 200);
  return () => {
    clearInterval(timer);
    return look();
  };
}

async function* measureRedis(
  { seconds: wanted, progress }: BenchContext,
  { redisPerSecond, redisSeconds }: EventsBenchSizes,
  api: LeekApiPeer,
): AsyncGenerator<BenchCase> {
  await using server = await startRedis();
  await using agent = await startEventsAgent({
    broker: `redis://127.0.0.1:${server.port}/0`,
    apiUrl: api.url,
  });
  await api.forget();
  await agent.want("start");
  await until("it receives", async () => isReceiving(agent), 30_000);
  const before = await agent.usage();
  const most = watchMemory(agent);
  const startedAt = performance.now();
  const published = await publishOnRedis(server.port, redisPerSecond, wanted ?? redisSeconds);
  const committed = await allCommitted(agent, published.published);
  const committedS = (performance.now() - startedAt) / 1000;
  const { spool, broker } = await agent.status();
  if (published.unheard > 0 || (broker?.gaps ?? 0) > 0 || (broker?.dropped ?? 0) > 0)
    throw new Error(`events were missed: ${JSON.stringify({ ...published, ...broker })}`);
  const figures = await arrived(api, published.published);
  const after = await agent.usage();
  const rate = committed / committedS;
  const delivered = arrivalRate(figures, published.published);
  const cpu = (after.cpuMs - before.cpuMs) / 1000 / (published.published / 50_000);
  progress(
    `Redis: ${published.published} events in ${published.seconds.toFixed(1)} s, ${rate.toFixed(0)} committed a second, ${spool.records} waited then; ${delivered.toFixed(0)} delivered a second; ${cpu.toFixed(2)} CPU-s per 50,000; ${((await most()) / 2 ** 20).toFixed(0)} MiB (load ${loadavg()[0]?.toFixed(1)})`,
  );
  const place = "Redis, at its default limit";
  yield {
    case: place,
    metric: "committed a second (asked)",
    ours: rate,
    peer: asked.redisPerSecond,
    ratio: asked.redisPerSecond / rate,
  };
  yield {
    case: place,
    metric: "delivered a second (asked)",
    ours: delivered,
    peer: asked.perSecond,
    ratio: asked.perSecond / delivered,
  };
}

const isReceiving = async (agent: EventsAgent): Promise<boolean> =>
  (await agent.status()).broker !== undefined &&
  ((await agent.status()).broker as { state?: string }).state === "receiving";

/** Resolves with how many messages are durable when all are. */
async function allCommitted(agent: EventsAgent, count: number): Promise<number> {
  let durable = 0;
  await until(
    `${count} events are committed`,
    async () => {
      const { broker } = await agent.status();
      durable = (broker?.received ?? 0) - (broker?.pending ?? 0);
      if ((broker?.disconnects ?? 0) > 0)
        throw new Error(`Redis cut the connection: ${JSON.stringify(broker)}`);
      return durable >= count;
    },
    60_000,
  );
  return durable;
}

interface Published {
  readonly published: number;
  readonly unheard: number;
  readonly seconds: number;
}

async function publishOnRedis(port: number, perSecond: number, seconds: number): Promise<Published> {
  const file = join(import.meta.dirname, "..", "testkit", "src", "redis-traffic-process.ts");
  const args = ["--disable-warning=ExperimentalWarning", file, ...[port, perSecond, seconds].map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: (2 * seconds + 60) * 1000,
  });
  return JSON.parse(/^RESULT (.*)$/m.exec(stdout)?.[1] ?? "") as Published;
}
