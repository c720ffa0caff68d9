/** What faults share: the world, what is wrong in it at the moment, and what Redis may lose for it. */
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import type { RedisServer } from "../redis.ts";
import { until } from "../until.ts";
import type { Series } from "./agent-lives.ts";
import type { Excuse } from "./ledger.ts";
import { type SinkName, sinkNames, subscriptionOf, type World } from "./world.ts";

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

/** What the agent gave up and counted, beside what was lost for this reason. */
export interface Dropped {
  readonly reason: string;
  readonly counted: number;
}

/** After a disk has room again the spool looks once a second. */
const diskSettlesMs = 3000;
const fullDiskReason = "a full disk";
const goneWithinMs = 20_000;
const unheardWithinMs = 1000;
const backWithinMs = 60_000;

export class Trouble {
  readonly world: World;
  readonly problems: string[] = [];
  /** Cuts at which the agent had to count a gap, and did. */
  gapsSeen = 0;
  readonly dropped: Dropped[] = [];
  /** When the broker lost its consumers, or was about to. */
  readonly consumersEnded: number[] = [];
  #disk: Promise<void> = Promise.resolve();
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
    const now = performance.now();
    // What the network holds back arrives while the disk is full, and waits on in memory.
    const before = reason === fullDiskReason ? this.#holdUps.filter(({ toMs }) => toMs >= now) : [];
    const fromMs = Math.min(now, ...before.map((each) => each.fromMs));
    const span: Span = { reason, fromMs, toMs: Number.POSITIVE_INFINITY };
    this.#holdUps.push(span);
    try {
      await during();
    } finally {
      span.toMs = performance.now() + settlesMs;
    }
  }

  /** One at a time; nothing without a disk that can be filled. */
  fullDisk(what: { readonly files: boolean }, during: () => Promise<void>): Promise<void> {
    const { disk } = this.world;
    if ("missing" in disk) return Promise.resolve();
    this.#disk = this.#disk.then(() =>
      this.holdUp(fullDiskReason, diskSettlesMs, async () => {
        await disk.fill(what);
        try {
          await during();
        } finally {
          await disk.free();
        }
      }),
    );
    return this.#disk;
  }

  /** Redis sends more than the agent may keep: what is lost has to be what the agent counts as dropped. */
  async overflow(flood: () => Promise<void>): Promise<void> {
    const { agent } = this.world;
    const { life } = agent;
    const before = (await this.world.listeners()) === 2 ? await agent.metrics() : undefined;
    if (before === undefined) return;
    const reason = `our drop policy, ${this.dropped.length + 1}.`;
    // The oldest go first, which may be here since the disk was full the last time.
    const now = performance.now();
    const held = this.#holdUps.filter(({ reason, toMs }) => reason === fullDiskReason && toMs >= now);
    const excuse = this.#excuse(reason, Math.min(now, ...held.map(({ fromMs }) => fromMs)));
    await this.fullDisk({ files: false }, flood);
    let after: Series | undefined;
    const isStored = async (): Promise<boolean> => {
      if (agent.life !== life || !agent.isAlive) return true;
      after = await agent.metrics();
      return sinkNames.every((sink) => figure(after, "unconfirmed_messages", sink) === 0);
    };
    await this.pause(1500);
    await until("what was kept in memory is on disk", isStored, backWithinMs).catch((error) =>
      this.problems.push(`${error}\n${agent.output()}`),
    );
    excuse.toMs = performance.now();
    if (agent.life !== life || !agent.isAlive) return;
    const counted = droppedOf(after) - droppedOf(before);
    if (counted === 0) this.problems.push("nothing was counted as dropped though more came than is kept");
    this.dropped.push({ reason, counted });
  }

  /** Ends the agent; what was on its way into it then is excused, but nothing at SIGTERM when nothing held it up. */
  async endAgent(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const { agent } = this.world;
    await agent.metrics();
    const atMs = performance.now();
    this.consumersEnded.push(atMs);
    const excuse = signal === "SIGKILL" ? this.#excuse("kill -9", atMs) : undefined;
    if (signal === "SIGKILL") await agent.kill();
    else await agent.terminate();
    await this.#untilGone();
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
    this.consumersEnded.push(performance.now());
    if (kind !== "redis") return sever();
    const { life } = agent;
    const before = (await this.world.listeners()) === 2 ? await agent.metrics() : undefined;
    const excuse = this.#excuse(reason, performance.now());
    await sever();
    await this.#untilUnheard();
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

  /** As an operator of Redis would. */
  async askRedis(command: string, ...args: readonly string[]): Promise<void> {
    const client = new Redis((this.world.broker as RedisServer).port, "127.0.0.1");
    client.on("error", () => {});
    await client.call(command, ...args).catch(() => {});
    client.disconnect();
  }

  readonly pause = async (ms: number): Promise<void> => {
    await sleep(this.isBrisk ? ms / 2 : ms);
  };

  /** Until Redis hands nothing to the agent any more, or hands it to the next connection already. */
  async #untilUnheard(): Promise<void> {
    await until("nobody listens", () => this.#isUnheard(), unheardWithinMs).catch(() => {});
  }

  /**
   * Until Redis hands nothing to an agent that ended. Its connections may wait in a hanging network with a PSUBSCRIBE
   * that Redis has not seen: when the network works again Redis has a listener, who is dead, until it sees the end.
   */
  async #untilGone(): Promise<void> {
    const { kind, proxy } = this.world;
    if (kind !== "redis") return;
    const isGone = async (): Promise<boolean> => proxy.open === 0 && (await this.#isUnheard());
    await until("nothing is left of an agent that ended", isGone, goneWithinMs).catch((error) =>
      this.problems.push(`${error}; ${proxy.open} connections`),
    );
  }

  async #isUnheard(): Promise<boolean> {
    return ((await this.world.listeners()) ?? 0) === 0;
  }

  #excuse(reason: string, atMs: number): Excuse {
    const excuse = { reason, atMs, fromMs: atMs - this.#options.slackMs, toMs: Number.POSITIVE_INFINITY };
    for (const sink of sinkNames) this.world.ledgers[sink].excuses.push(excuse);
    return excuse;
  }
}

function figure(series: Series | undefined, name: string, sink: SinkName): number {
  return series?.get(`posthouse_events_${name}{subscription="${subscriptionOf(sink)}"}`) ?? 0;
}

const gapsOf = (series: Series | undefined, sink: SinkName): number => figure(series, "gaps_total", sink);

/** Of the webhook, where each loss can be seen. */
function droppedOf(series: Series | undefined): number {
  const labels = `subscription="${subscriptionOf("webhook")}",reason="policy"`;
  return series?.get(`posthouse_events_dropped_total{${labels}}`) ?? 0;
}
