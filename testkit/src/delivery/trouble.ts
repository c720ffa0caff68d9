/** What faults share: the world, what is wrong in it at the moment, and what Redis may lose for it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { RedisServer } from "../redis.ts";
import { until } from "../until.ts";
import type { Series } from "./agent-lives.ts";
import type { Excuse } from "./ledger.ts";
import { sinkNames, subscriptionOf, type World } from "./world.ts";

interface Span {
  readonly reason: string;
  readonly fromMs: number;
  toMs: number;
}

export interface TroubleOptions {
  /** What may be in the socket and the open commit group when an agent is killed. */
  readonly slackMs: number;
  /** Nothing waits for long: each fault once, in seconds. */
  readonly isBrisk: boolean;
}

/** After a disk has room again the spool looks once a second. */
const diskSettlesMs = 3000;
const goneWithinMs = 10_000;
const backWithinMs = 60_000;

export class Trouble {
  readonly world: World;
  readonly problems: string[] = [];
  /** Cuts at which the agent had to count a gap, and did. */
  gapsSeen = 0;
  readonly #options: TroubleOptions;
  /** Times in which what Redis sent was kept back on its way, or in memory. */
  readonly #holdUps: Span[] = [];

  constructor(world: World, options: TroubleOptions) {
    this.world = world;
    this.#options = options;
  }

  get isBrisk(): boolean {
    return this.#options.isBrisk;
  }

  /** Redis has handed it over and the agent does not have it: on its way, or not on disk, for as long as this lasts. */
  async holdUp(reason: string, settlesMs: number, during: () => Promise<void>): Promise<void> {
    const span: Span = { reason, fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY };
    this.#holdUps.push(span);
    try {
      await during();
    } finally {
      span.toMs = performance.now() + settlesMs;
    }
  }

  get diskSettlesMs(): number {
    return diskSettlesMs;
  }

  /** Ends the agent; what was on its way into it then is excused, but nothing at SIGTERM when nothing held it up. */
  async endAgent(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { agent } = this.world;
    await agent.metrics();
    const atMs = performance.now();
    const excuse = signal === "SIGKILL" ? this.#excuse("kill -9", atMs) : undefined;
    if (signal === "SIGKILL") await agent.kill();
    else await agent.terminate();
    await this.#untilUnheard();
    const endMs = performance.now();
    if (excuse !== undefined) excuse.toMs = endMs;
    for (const { reason, fromMs, toMs } of this.#holdUps) {
      if (toMs < atMs || fromMs > endMs) continue;
      this.#excuse(`${signal === "SIGKILL" ? "kill -9" : "SIGTERM"} during ${reason}`, fromMs).toMs = endMs;
    }
  }

  /** A connection of Redis is cut: what was on its way is excused, and the agent has to count the gap. */
  async cut(reason: string, sever: () => Promise<void>): Promise<void> {
    const { agent, kind } = this.world;
    if (kind !== "redis") return sever();
    const { life } = agent;
    const before = (await this.world.listeners()) === 2 ? await agent.metrics() : undefined;
    const excuse = this.#excuse(reason, performance.now());
    await sever();
    await this.#untilUnheard(1000);
    excuse.toMs = performance.now();
    await until(
      "the agent listens again",
      async () => (await this.world.listeners()) === 2,
      backWithinMs,
    ).catch((error) => this.problems.push(`after ${reason}: ${error}\n${agent.output()}`));
    if (before === undefined) return;
    const isOther = (): boolean => agent.life !== life || !agent.isAlive;
    let after: Series | undefined;
    const isCounted = async (): Promise<boolean> => {
      after = await agent.metrics();
      return isOther() || sinkNames.every((sink) => gapsOf(after, sink) > gapsOf(before, sink));
    };
    try {
      await until("the gap is counted", isCounted, 10_000);
      if (!isOther()) this.gapsSeen += sinkNames.length;
    } catch {
      const figures = sinkNames.map((sink) => `${sink} ${gapsOf(before, sink)} → ${gapsOf(after, sink)}`);
      this.problems.push(`${reason}: no gap was counted (${figures.join(", ")})`);
    }
  }

  /** As Redis itself does it to clients that it does not want any more. */
  async disconnectClients(): Promise<void> {
    const client = new Redis((this.world.broker as RedisServer).port, "127.0.0.1");
    client.on("error", () => {});
    await client.call("CLIENT", "KILL", "TYPE", "pubsub").catch(() => {});
    client.disconnect();
  }

  pause(ms: number): Promise<void> {
    return sleep(ms);
  }

  /** Until Redis hands nothing to the agent any more. */
  async #untilUnheard(deadlineMs: number = goneWithinMs): Promise<void> {
    if (this.world.kind !== "redis") return;
    await until("nobody listens", async () => ((await this.world.listeners()) ?? 0) === 0, deadlineMs).catch(
      () => {},
    );
  }

  #excuse(reason: string, atMs: number): Excuse {
    const excuse = { reason, atMs, fromMs: atMs - this.#options.slackMs, toMs: Number.POSITIVE_INFINITY };
    for (const sink of sinkNames) this.world.ledgers[sink].excuses.push(excuse);
    return excuse;
  }
}

function gapsOf(series: Series | undefined, sink: (typeof sinkNames)[number]): number {
  return series?.get(`posthouse_events_gaps_total{subscription="${subscriptionOf(sink)}"}`) ?? 0;
}
