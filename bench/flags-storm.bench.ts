/**
 * Ten thousand SDKs on one agent: 7,000 client SDKs with a user each, 3,000 server SDKs, 100 flags. A flag changes, a
 * segment that touches half of the flags changes, a hundred sockets never read, all reconnect at once. There is no peer:
 * the figure beside ours is the limit, so a ratio above 1 is beyond it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createFakeFeatbit } from "@posthouse/testkit/featbit/fake";
import { makeFlags } from "@posthouse/testkit/featbit/generate";
import { type Swarm, startSwarm, steadyNow } from "@posthouse/testkit/featbit/swarm";
import type { Arrivals } from "@posthouse/testkit/featbit/swarm-protocol";
import { type Environment, type FeatbitWorld, timestampOf } from "@posthouse/testkit/featbit/world";
import { type FlagsAgent, startFlagsAgent } from "@posthouse/testkit/flags-agent";
import { readUsage } from "@posthouse/testkit/peer-process";
import type { Bench, BenchCase, BenchContext } from "./bench.ts";
import { median } from "./rounds.ts";

export interface StormSizes {
  readonly clients: number;
  readonly servers: number;
  readonly flags: number;
  /** Sockets that stop reading. */
  readonly deaf: number;
  /** New connections a second, at first. */
  readonly ratePerSecond: number;
}

export const bench: Bench = createStormBench({
  clients: 7000,
  servers: 3000,
  flags: 100,
  deaf: 100,
  ratePerSecond: 2000,
});

const mb = 1024 * 1024;
/** Longer than SDKs wait between two pings. */
const silence = "20s";
/** By then who says nothing must be gone: the limit, and how often it is looked at. */
const deafMs = 30_000;
const deadlineMs = 60_000;
const restMs = 5000;
const limits = { restMb: 150, stormMb: 400, flagMs: 300, segmentMs: 3000, reconnectMs: 15_000 };

/** The bench at other sizes. */
export function createStormBench(sizes: StormSizes): Bench {
  return {
    description: "10,000 SDKs on one agent: memory, changes, reconnects; the figure beside ours is the limit",
    async *run(context) {
      const folder = await mkdtemp(join(tmpdir(), "posthouse-storm-"));
      try {
        await using featbit = await createFakeFeatbit();
        const { featureFlags, segments } = makeFlags(sizes.flags);
        const environment = featbit.world.addEnvironment({ flags: featureFlags, segments });
        await using agent = await startFlagsAgent({
          folder,
          flags: {
            streaming_uri: featbit.streamingUrl,
            api_key: featbit.world.addRelayKey(),
            sessions: { send_time: "5s", silence },
          },
        });
        await using swarm = await startSwarm();
        yield* measure(context, sizes, { world: featbit.world, environment, agent, swarm });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

interface Storm {
  readonly world: FeatbitWorld;
  readonly environment: Environment;
  readonly agent: FlagsAgent;
  readonly swarm: Swarm;
}

async function* measure(
  context: BenchContext,
  { clients, servers, flags, deaf, ratePerSecond }: StormSizes,
  { world, environment, agent, swarm }: Storm,
): AsyncGenerator<BenchCase> {
  const { envId } = environment;
  const [segment] = environment.segments.values();
  await sleep(restMs);
  const memory = watchMemory(agent.process.pid);
  const idle = await memory.now();
  context.progress(`idle: ${(idle / mb).toFixed(0)} MB`);
  const above = (bytes: number): number => (bytes - idle) / mb;
  const all = clients + servers;

  try {
    for (const [kind, count] of [
      ["client", clients],
      ["server", servers],
    ] as const) {
      const secret = environment.secrets.find(({ type }) => type === kind)?.value ?? "";
      await swarm.connect({
        kind,
        count,
        secret,
        flags,
        ratePerSecond,
        url: agent.streamingUrl,
        comesBack: true,
      });
    }
    expectAll("connecting", await swarm.awaitSynced(deadlineMs), all);
    await sleep(restMs);
    yield limited("at rest", "MB above idle", above(await memory.now()), limits.restMb);

    const flagMs = await repeat(context, "flag change", all, swarm, (round) =>
      world.patchFlag(envId, `flag-${round % flags}`, { description: `round ${round}` }),
    );
    yield limited("flag change", "ms to the last, median of the rounds", median(flagMs), limits.flagMs);
    const segmentMs = await repeat(context, "segment change", all, swarm, (round) =>
      world.patchSegment(envId, segment?.id ?? "", { included: [`user-${round}`] }),
    );
    yield limited("segment change", "ms to the last, longest", Math.max(...segmentMs), limits.segmentMs);
    yield limited("segment change", "MB above idle at most", above(memory.peak()), limits.stormMb);

    const reconnectMs: number[] = [];
    for (let round = 0; round < context.rounds; round++) {
      const began = steadyNow();
      await swarm.reconnect("zero");
      const synced = await swarm.awaitSynced(deadlineMs);
      expectAll("reconnecting", synced, all);
      reconnectMs.push(synced.last - began);
      context.progress(`reconnect ${round + 1}/${context.rounds}: ${(synced.last - began).toFixed(0)} ms`);
      await sleep(1000);
    }
    yield limited(
      "all reconnect at once",
      "ms to the last answer, longest",
      Math.max(...reconnectMs),
      limits.reconnectMs,
    );
    yield limited("all reconnect at once", "MB above idle at most", above(memory.peak()), limits.stormMb);
    await sleep(restMs);
    yield limited("after the storm", "MB above idle", above(await memory.now()), limits.restMb);

    await swarm.freeze(deaf);
    const endsAt = performance.now() + deafMs;
    const beside = await repeat(context, "flag change beside deaf sockets", all - deaf, swarm, (round) =>
      world.patchFlag(envId, `flag-${round % flags}`, { description: `beside ${round}` }),
    );
    yield limited("100 never read", "ms to the last of the others, median", median(beside), limits.flagMs);
    await sleep(Math.max(0, endsAt - performance.now()));
    const kept = deaf - (await swarm.droppedFrozen());
    yield limited("100 never read", "sockets still there after their limit", kept, 1);
    const report = await swarm.report();
    if (report.wrong > 0) throw new Error(`wrong answers:\n${report.wrongSamples.join("\n")}`);
  } finally {
    memory.stop();
  }
}

/** Changes something so many times, and waits each time for the last SDK to know. */
async function repeat(
  context: BenchContext,
  what: string,
  count: number,
  swarm: Swarm,
  change: (round: number) => { readonly updatedAt: string },
): Promise<number[]> {
  const figures: number[] = [];
  for (let round = 0; round < context.rounds; round++) {
    const began = steadyNow();
    const arrived = await swarm.awaitVersion(timestampOf(change(round)), deadlineMs);
    expectAll(what, arrived, count);
    figures.push(arrived.last - began);
    context.progress(`${what} ${round + 1}/${context.rounds}: ${(arrived.last - began).toFixed(0)} ms`);
    await sleep(1000);
  }
  return figures;
}

function watchMemory(pid: number): { now(): Promise<number>; peak(): number; stop(): void } {
  let peak = 0;
  const now = async (): Promise<number> => (await readUsage(pid)).rssBytes;
  const timer = setInterval(() => {
    now().then(
      (bytes) => {
        peak = Math.max(peak, bytes);
      },
      () => {},
    );
  }, 50);
  return { now, peak: () => peak, stop: () => clearInterval(timer) };
}

function expectAll(what: string, { count, missing }: Arrivals, wanted: number): void {
  if (missing > 0 || count !== wanted) throw new Error(`${what}: ${count} of ${wanted} heard of it`);
}

function limited(name: string, metric: string, ours: number, limit: number): BenchCase {
  return { case: name, metric, ours, peer: limit, ratio: ours / limit };
}
