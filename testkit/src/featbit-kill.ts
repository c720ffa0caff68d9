/**
 * Kills an agent's flag source at any moment while FeatBit's flags change, and looks at what the next start serves from
 * disk before FeatBit is heard: it must be something that FeatBit really had.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { createFakeFeatbit, type FakeFeatbit } from "./featbit/fake.ts";
import { makeFlags } from "./featbit/generate.ts";
import type { Dump } from "./featbit/shapes.ts";

export interface KillOptions {
  readonly kills: number;
  /** Starts a source and prints, as one line of JSON, what it serves as soon as it runs. Takes DIRECTORY, URL, KEY. */
  readonly childFile: string;
  readonly progress?: (text: string) => void;
}

export interface KillResult {
  readonly kills: number;
  /** Starts that served something from disk. */
  readonly served: number;
  /** Different versions that they served. */
  readonly versions: number;
  readonly changes: number;
  readonly neverTrue: readonly string[];
}

const changeEveryMs = 3;
const longestLifeMs = 600;
const startWithinMs = 20_000;

export async function killFlagSource(options: KillOptions): Promise<KillResult> {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-kill-"));
  await using featbit = await createFakeFeatbit();
  const key = populate(featbit);
  const changing = keepChanging(featbit);
  const neverTrue: string[] = [];
  const versions = new Set<string>();
  let served = 0;
  try {
    for (let kill = 1; kill <= options.kills; kill++) {
      const child = start(options.childFile, directory, featbit.streamingUrl, key);
      try {
        const text = await firstLine(child);
        const dump = JSON.parse(text) as Dump;
        if (dump.items.length > 0) {
          served++;
          versions.add(text);
          neverTrue.push(...featbit.world.neverTrue(dump));
        }
        await sleep(Math.random() * longestLifeMs);
      } finally {
        await end(child);
      }
      if (kill % 20 === 0) options.progress?.(`${kill} kills, ${served} starts from disk`);
    }
  } finally {
    changing.stop();
    await rm(directory, { recursive: true, force: true });
  }
  return { kills: options.kills, served, versions: versions.size, changes: changing.count, neverTrue };
}

/** What was wrong; empty when nothing was. */
export function killProblems({ kills, served, versions, neverTrue }: KillResult): string[] {
  const problems = [...neverTrue];
  if (served < kills / 2) problems.push(`only ${served} of ${kills} starts served anything from disk`);
  if (versions < served / 4) problems.push(`only ${versions} versions were seen in ${served} starts`);
  return problems;
}

/** Two environments, so that one may be ahead of the other. */
function populate({ world }: FakeFeatbit): string {
  for (const seed of [1, 2]) {
    const { featureFlags: flags, segments } = makeFlags(20, { seed });
    world.addEnvironment({ flags, segments, envKey: `env-${seed}` });
  }
  return world.addRelayKey();
}

function keepChanging({ world }: FakeFeatbit): { readonly count: number; stop(): void } {
  const environments = world.dump().items;
  let count = 0;
  const timer = setInterval(() => {
    const environment = environments[count % environments.length];
    if (environment === undefined) return;
    const { envId, segments } = environment;
    const [segment] = segments;
    if (count % 11 === 0 && segment !== undefined)
      world.patchSegment(envId, segment.id, { included: [`user-${count}`] });
    else world.patchFlag(envId, `flag-${count % 20}`, { description: `change ${count}` });
    count++;
  }, changeEveryMs);
  return {
    get count() {
      return count;
    },
    stop: () => clearInterval(timer),
  };
}

function start(file: string, ...args: readonly string[]): ChildProcess {
  return spawn(process.execPath, ["--conditions=posthouse-source", file, ...args], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the child has no output");
  const lines = createInterface(child.stdout);
  const settled = new AbortController();
  const signal = AbortSignal.any([settled.signal, AbortSignal.timeout(startWithinMs)]);
  const ended = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`the child ended with ${code} and said nothing`);
  });
  try {
    const [line] = (await Promise.race([once(lines, "line", { signal }), ended])) as [string];
    return line;
  } finally {
    settled.abort();
    await ended.catch(() => {});
  }
}

async function end(child: ChildProcess): Promise<void> {
  const exited = once(child, "exit");
  if (child.exitCode === null && child.signalCode === null && child.kill("SIGKILL")) await exited;
}
