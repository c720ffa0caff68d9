/**
 * The delivery oracle: events with an identity go from a producer over a real broker and a real agent to two receivers,
 * while everything between them fails, and at the end what had to arrive is compared with what did.
 */
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Fault, type Lane, lanesOf, untilTaken } from "./delivery/faults.ts";
import type { Arrival } from "./delivery/ledger.ts";
import { createRandom, type Random } from "./delivery/random.ts";
import { createStory, type Happening } from "./delivery/story.ts";
import { Traffic } from "./delivery/traffic.ts";
import { Trouble } from "./delivery/trouble.ts";
import { judgeArrivals, judgeDeadLetters, judgeDocuments, type Verdict } from "./delivery/verdict.ts";
import {
  appEnv,
  type BrokerKind,
  exchangeOf,
  type SinkName,
  sinkNames,
  startWorld,
  subscriptionOf,
  type World,
} from "./delivery/world.ts";
import { needInstalled } from "./services.ts";
import { until } from "./until.ts";

export interface DeliverySoakOptions {
  readonly broker: BrokerKind;
  readonly seed: number;
  /** Random faults for so long; 0: each fault once. */
  readonly durationMs: number;
  /** Names of lanes; by default all of them. */
  readonly lanes?: readonly string[];
  /** Messages a second to each sink; a message has one event and more. Default 150. */
  readonly perSecond?: number;
  /**
   * Redis: of what was handed over before a kill or a cut, this much time may be lost. Default 200: what is in the
   * socket and the open commit group.
   */
  readonly slackMs?: number;
  readonly progress?: (text: string) => void;
  /** Changes what the webhook receives, to see that it is noticed. */
  readonly tamper?: (arrivals: Arrival[]) => Arrival[];
}

export interface DeliverySoakResult {
  readonly seconds: number;
  /** How often each fault happened. */
  readonly faults: ReadonlyMap<string, number>;
  /** What could not be done here, and why. */
  readonly skipped: readonly string[];
  readonly lives: number;
  readonly messages: number;
  /** Messages to each sink of which the broker said that it has them. */
  readonly certain: Readonly<Record<SinkName, number>>;
  readonly sinks: Readonly<Record<SinkName, Verdict>>;
  /** Figures of the agent's own metrics over all its lives, as far as they were read. */
  readonly told: Readonly<Record<string, number>>;
  /** Cuts of Redis for which the agent counted a gap. */
  readonly gapsSeen: number;
  readonly problems: readonly string[];
}

const tickMs = 20;
const briskPace = 0.15;
const quietForMs = 2000;
const quietWithinMs = 120_000;
const mostUnanswered = 2000;
const clockLibraries = [
  "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
  "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
] as const;

export async function soakDelivery(options: DeliverySoakOptions): Promise<DeliverySoakResult> {
  const { broker, seed, durationMs, slackMs = 200, perSecond = 150, progress = () => {} } = options;
  const startedAt = performance.now();
  const isBrisk = durationMs === 0;
  const random = createRandom(seed);
  const clock = await needClock();
  const clockLibrary = "path" in clock ? clock.path : undefined;
  await using world = await startWorld({ broker, clockLibrary });
  const { agent, ledgers } = world;
  const trouble = new Trouble(world, { slackMs, isBrisk });
  const faults = new Map<string, number>();
  const happenings: Happening[] = [];
  world.webhook.onTaken = ({ body }) => {
    const stamp = { atMs: performance.now(), life: agent.life };
    for (const arrival of JSON.parse(body.toString()) as Arrival[])
      world.arrivals.push({ ...arrival, ...stamp });
  };

  await agent.start();
  await until("the agent receives", () => receives(world), 60_000).catch((error) => {
    throw new Error(`${error}\n${agent.output()}`);
  });
  const producing = produce(world, new Traffic(seed), perSecond);
  const lanes = lanesOf(world, clockLibrary !== undefined).filter(
    ({ name }) => options.lanes === undefined || options.lanes.includes(name),
  );
  const watching = watch(world);
  const endsAt = performance.now() + durationMs;
  await Promise.all(lanes.map((lane) => (durationMs > 0 ? runRandom(lane, endsAt) : runOnce(lane))));

  async function run(lane: Lane, fault: Fault, own: Random): Promise<void> {
    await sleep(own.between(...lane.pauseMs) * (isBrisk ? briskPace : 1));
    progress(`${((performance.now() - startedAt) / 1000).toFixed(1)} s: ${fault.name}`);
    faults.set(fault.name, (faults.get(fault.name) ?? 0) + 1);
    happenings.push({ atMs: performance.now(), what: `${fault.name} begins, in life ${agent.life}` });
    await fault.run(trouble, own);
    happenings.push({ atMs: performance.now(), what: `${fault.name} is over, in life ${agent.life}` });
  }

  async function runRandom(lane: Lane, endsAt: number): Promise<void> {
    const own = random.fork(lane.name);
    const [first, ...others] = lane.faults.flatMap((fault) =>
      Array.from({ length: fault.weight ?? 1 }, () => fault),
    );
    if (first === undefined) return;
    while (performance.now() < endsAt) await run(lane, own.pick([first, ...others]), own);
  }

  async function runOnce(lane: Lane): Promise<void> {
    const own = random.fork(lane.name);
    for (const fault of lane.faults) if (fault.isLong !== true) await run(lane, fault, own);
  }

  await until("the agent receives", () => receives(world), 60_000).catch((error) =>
    trouble.problems.push(`at the end: ${error}\n${agent.output()}`),
  );
  await untilTaken(world, 10_000);
  await sleep(500);
  await producing.stop();
  await untilQuiet(world).catch((error) => trouble.problems.push(`${error}\n${agent.output()}`));
  watching.stop();

  const arrivals = options.tamper?.(world.arrivals) ?? world.arrivals;
  const accounts = { webhook: ledgers.webhook.account(), leek: ledgers.leek.account() };
  const storyOf = (sink: SinkName) =>
    createStory({
      ...{ startMs: startedAt, happenings, arrivals, posts: world.posts },
      ...{ account: accounts[sink], excuses: ledgers[sink].excuses },
    });
  const sinks = {
    webhook: judgeArrivals(accounts.webhook, arrivals, {
      story: storyOf("webhook"),
      consumersEnded: world.kind === "rabbitmq" ? trouble.consumersEnded : [],
    }),
    leek: judgeDocuments(accounts.leek, world.leek.index.documents, appEnv, storyOf("leek")),
  };
  const letters: string[] = [];
  for (const sink of sinkNames) {
    const texts = await agent.deadLetters(subscriptionOf(sink));
    letters.push(...judgeDeadLetters(accounts[sink], texts).map((problem) => `${sink}: ${problem}`));
  }
  for (const { reason, counted } of trouble.dropped) {
    const lost = sinks.webhook.excused.get(reason)?.messages.size ?? 0;
    progress(`${reason} ${lost} messages lost, ${counted} counted`);
    if (lost > counted) trouble.problems.push(`${reason} lost ${lost} messages and counted ${counted}`);
  }
  const unroutable = world.producer.unroutable;
  return {
    seconds: (performance.now() - startedAt) / 1000,
    faults,
    skipped: [clock, world.disk].flatMap((found) => ("missing" in found ? [found.missing] : [])),
    lives: agent.life,
    messages: accounts.webhook.messages,
    certain: { webhook: accounts.webhook.certain, leek: accounts.leek.certain },
    sinks,
    told: Object.fromEntries(figures.map((name) => [name, agent.total(`posthouse_events_${name}_total`)])),
    gapsSeen: trouble.gapsSeen,
    problems: [
      ...agent.problems,
      ...trouble.problems,
      ...letters,
      ...sinkNames.flatMap((sink) => sinks[sink].problems.map((problem) => `${sink}: ${problem}`)),
      ...(unroutable > 0 ? [`RabbitMQ had no queue for ${unroutable} messages`] : []),
    ],
  };
}

const figures = ["received", "in", "out", "duplicates", "dropped", "dead", "gaps", "refused", "spool_errors"];

/** What was wrong; empty when nothing was. */
export function deliverySoakProblems({ problems, sinks, certain }: DeliverySoakResult): string[] {
  const found = [...problems];
  for (const sink of sinkNames)
    if (sinks[sink].arrived < certain[sink] / 2)
      found.push(
        `${sink}: only ${sinks[sink].arrived} events arrived of ${certain[sink]} messages: too few to say anything`,
      );
  return found;
}

function needClock() {
  return needInstalled(["libfaketime"], "libfaketime", () => clockLibraries.find((path) => existsSync(path)));
}

function produce(world: World, traffic: Traffic, perSecond: number): { stop(): Promise<void> } {
  const { producer, ledgers } = world;
  const unanswered = new Set<Promise<void>>();
  let last = performance.now();
  let due = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    due = Math.min(perSecond, due + ((now - last) * perSecond) / 1000);
    last = now;
    if (!producer.isReady || unanswered.size > mostUnanswered) return;
    for (; due >= 1; due--) {
      const message = traffic.next();
      for (const sink of sinkNames) {
        const answered = ledgers[sink].begin(message);
        const sent = producer.send(exchangeOf(sink), message.body).then(answered);
        unanswered.add(sent);
        void sent.then(() => unanswered.delete(sent));
      }
    }
  }, tickMs);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.race([Promise.all(unanswered), sleep(10_000)]);
    },
  };
}

/** Reads the metrics now and then, so that little is missed when the agent is killed. */
function watch({ agent }: World): { stop(): void } {
  const timer = setInterval(() => void agent.metrics(), 500);
  return { stop: () => clearInterval(timer) };
}

async function receives({ agent }: World): Promise<boolean> {
  const series = await agent.metrics();
  return sinkNames.every(
    (sink) =>
      series?.get(
        `posthouse_events_broker_state{subscription="${subscriptionOf(sink)}",state="receiving"}`,
      ) === 1,
  );
}

/** Until nothing more comes, and the agent says that it has nothing more. */
async function untilQuiet(world: World): Promise<void> {
  let since = performance.now();
  let before = "";
  const isQuiet = async (): Promise<boolean> => {
    const series = await world.agent.metrics();
    const gauge = (name: string, sink: SinkName): number =>
      series?.get(`posthouse_events_${name}{subscription="${subscriptionOf(sink)}"}`) ?? Number.NaN;
    const isEmpty = sinkNames.every(
      (sink) => gauge("spool_records", sink) + gauge("unconfirmed_messages", sink) === 0,
    );
    const counts = sinkNames.map((sink) => gauge("received_total", sink) + gauge("out_total", sink)).join();
    const now = `${isEmpty} ${world.arrivals.length} ${counts}`;
    if (!isEmpty || now !== before) since = performance.now();
    before = now;
    await sleep(100);
    return performance.now() - since > quietForMs;
  };
  await until("everything is delivered", isQuiet, quietWithinMs);
}
