/**
 * The p99 of redirects while the same agent drains RabbitMQ: beside an agent that does not, and beside one beside which
 * a bare process drains it. Where load, agent, broker and API share two processors, the last says what is the agent's
 * doing. Requests come at a steady pace, which is how people wait for them, and as fast as they are answered.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { taskLives } from "@posthouse/testkit/celery-traffic";
import { exchange, queue, redirect, startEventsAgent } from "@posthouse/testkit/events-agent";
import type { LeekApiPeer } from "@posthouse/testkit/leek-api-peer";
import { startRabbitMqTraffic } from "@posthouse/testkit/rabbitmq-traffic";
import type { BenchCase, BenchContext } from "./bench.ts";
import { arrived, batchEvents, type Drainer, startBareDrainer } from "./events-drain.ts";
import { type LoadOptions, measureLoad } from "./load.ts";
import { compare, type Figures } from "./rounds.ts";

export interface RedirectsSizes {
  /** In the queue, of each measurement. */
  readonly events: number;
  /** Of load. */
  readonly seconds: number;
  /** Whether the queue must not be empty before the load ends. */
  readonly isLasting: boolean;
}

export interface RedirectsPeers {
  readonly api: LeekApiPeer;
  /** URL of RabbitMQ. */
  readonly broker: string;
  /** Path of wrk. */
  readonly wrk: string;
}

const paces: readonly (readonly [string, Pick<LoadOptions, "connections" | "pauseMs">])[] = [
  ["2,000 redirects a second", { connections: 32, pauseMs: 16 }],
  ["redirects as fast as they are answered", { connections: 8 }],
];

export async function* measureRedirects(
  { rounds, progress }: BenchContext,
  { events, seconds, isLasting }: RedirectsSizes,
  { api, broker, wrk }: RedirectsPeers,
): AsyncGenerator<BenchCase> {
  await using source = await startRabbitMqTraffic({ url: broker, exchange, queue, traffic: taskLives() });
  await using agent = await startEventsAgent({ broker, apiUrl: api.url, hasSite: true });
  const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
  const requests = join(folder, "requests.tsv");

  async function told(name: string, load: LoadOptions): Promise<Figures> {
    const figures = await measureLoad(agent, load);
    const { "p99 ms": p99 = Number.NaN, "p50 ms": p50, "requests per second": rate = Number.NaN } = figures;
    progress(
      `${name}: p99 ${p99} ms, p50 ${p50} ms, ${rate.toFixed(0)} requests/s (load ${loadavg()[0]?.toFixed(1)})`,
    );
    return { "p99 ms": p99, "requests per second": rate };
  }

  async function whileDrained(name: string, drainer: Drainer, load: LoadOptions): Promise<Figures> {
    await source.publish(events);
    await api.forget();
    await drainer.want("start");
    const figures = await told(name, load);
    const during = (await api.figures()).events;
    progress(`${name}: ${during} events delivered meanwhile`);
    await arrived(api, events);
    await drainer.want("stop");
    if (isLasting && during >= events - batchEvents)
      throw new Error("the queue was empty before the load ended");
    return figures;
  }

  try {
    await writeFile(requests, `site.example\t${redirect.source}\n`);
    await measureLoad(agent, { wrk, requests, connections: 8, seconds });
    for (const [name, pace] of paces) {
      const load = { wrk, requests, seconds, ...pace };
      const ours: Figures[] = [];
      const without: Figures[] = [];
      const besideBare: Figures[] = [];
      for (let round = 1; round <= rounds; round++) {
        ours.push(await whileDrained(`${name}, agent drains, round ${round}`, agent, load));
        without.push(await told(`${name}, nothing is drained, round ${round}`, load));
        await using bare = await startBareDrainer(broker, api.url);
        besideBare.push(await whileDrained(`${name}, bare process drains, round ${round}`, bare, load));
      }
      yield* compare(`${name} while RabbitMQ is drained, beside without`, ours, without);
      yield* compare(
        `${name} while RabbitMQ is drained, beside a bare process that drains it`,
        ours,
        besideBare,
      );
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
