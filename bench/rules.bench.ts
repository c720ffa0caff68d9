/**
 * The rules package on one core: exact rules at the size of a government beside a bare Map, what a project of that size
 * costs to load, keep and swap through the real client, and patterns, also over HTTP beside nginx. Every process
 * measured is a fresh one. Figures without a peer are beside 1, so that their ratio is the figure itself.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Item, Redirect } from "@posthouse/protocol";
import { startAgent } from "@posthouse/testkit/peer-agent";
import { pinned } from "@posthouse/testkit/peer-process";
import { needPackage, startNginx } from "@posthouse/testkit/services";
import { type Bench, type BenchCase, type BenchContext, BenchSkipped } from "./bench.ts";
import {
  createRandom,
  generateRedirects,
  readRedirects,
  sectionRule,
  sectionTarget,
  shuffle,
} from "./data.ts";
import { type LoadOptions, measureLoad } from "./load.ts";
import { chooseCores } from "./redirects.bench.ts";
import { compare, type Figures, interleave, median } from "./rounds.ts";
import type { Task } from "./rules-process.ts";
import { type SyncSource, startSyncSource } from "./sync-source.ts";

export interface RulesBenchSizes {
  /** Of the made-up project, where no data is given. */
  readonly redirects?: number;
  readonly swaps: number;
  readonly patterns: number;
  readonly patternRequests: number;
  readonly httpPatterns: number;
  readonly httpSeconds: number;
  readonly repeats: number;
}

interface Context extends BenchContext {
  readonly sizes: RulesBenchSizes;
  readonly folder: string;
  readonly serverCore: number | undefined;
  readonly loadCore: number | undefined;
}

export const bench: Bench = createRulesBench({
  swaps: 20,
  patterns: 10_000,
  patternRequests: 200_000,
  httpPatterns: 1000,
  httpSeconds: 3,
  repeats: 9,
});

/** The bench at other sizes. */
export function createRulesBench(sizes: RulesBenchSizes): Bench {
  return {
    description: "matching beside a bare Map, memory, load, pauses; patterns, also over HTTP beside nginx",
    async *run(given) {
      const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
      try {
        const [serverCore, loadCore] = await chooseCores(given);
        const context: Context = { ...given, sizes, folder, serverCore, loadCore };
        yield* measureProject(context);
        yield* measurePatterns(context);
        yield* measureHttp(context);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

async function* measureProject(context: Context): AsyncGenerator<BenchCase> {
  const { data, sizes, folder, rounds, progress } = context;
  const redirects = data === undefined ? generateRedirects(sizes.redirects) : await readRedirects(data);
  const items = redirects.map((redirect, index): Item => ({ id: index + 1, kind: "redirect", ...redirect }));
  progress(`${items.length} exact rules`);
  const requests = join(folder, "exact.tsv");
  await writeFile(requests, exactRequests(redirects));
  await using source = await startSyncSource([items, otherVersion(items)]);

  const lookups = await repeat(rounds, (round) =>
    measure(context, `match ${round}/${rounds}`, {
      kind: "lookup",
      url: source.url,
      requests,
      repeats: sizes.repeats,
    }),
  );
  const pick = (name: string): number => median(lookups.map((figures) => figures[name] ?? Number.NaN));
  yield {
    case: "exact rules, half hits",
    metric: "ns per match",
    ours: pick("ours"),
    peer: pick("peer"),
    ratio: pick("ratio"),
  };

  const load = (swaps: number, name: string): Promise<Figures> =>
    measure(context, name, { kind: "load", url: source.url, file: join(folder, name), swaps }, source);
  const loads = await repeat(rounds, (round) => load(0, `load ${round} of ${rounds}`));
  yield* alone("a whole project", loads);
  const swapped = await load(sizes.swaps, `${sizes.swaps} swaps`);
  yield* alone("a whole project", [{ "RSS MB after the swaps": swapped["RSS MB"] ?? Number.NaN }]);
}

async function* measurePatterns(context: Context): AsyncGenerator<BenchCase> {
  const { patterns, patternRequests, repeats } = context.sizes;
  const requests = join(context.folder, "patterns.tsv");
  await writeFile(requests, patternLines(patterns, patternRequests));
  const task: Task = { kind: "patterns", rules: patterns, requests, repeats };
  yield* alone(
    "patterns",
    await repeat(context.rounds, (round) => measure(context, `patterns ${round}/${context.rounds}`, task)),
  );
}

async function* measureHttp(context: Context): AsyncGenerator<BenchCase> {
  const { folder, rounds, serverCore, loadCore, progress } = context;
  const { httpPatterns, httpSeconds } = context.sizes;
  const [nginxFound, wrkFound] = [await needPackage("nginx-light", "nginx"), await needPackage("wrk", "wrk")];
  if ("missing" in nginxFound) throw new BenchSkipped(nginxFound.missing);
  if ("missing" in wrkFound) throw new BenchSkipped(wrkFound.missing);
  const rules = Array.from({ length: httpPatterns }, (_, index) => sectionRule(index));
  const load: LoadOptions = {
    wrk: wrkFound.path,
    requests: join(folder, "http.tsv"),
    connections: 64,
    seconds: httpSeconds,
    core: loadCore,
  };
  const random = createRandom(11);
  const targets = rules.map((_rule, index) => sectionTarget(index, title(random)));
  await writeFile(
    load.requests,
    shuffle(targets, random)
      .map((target) => `h.example\t${target}\n`)
      .join(""),
  );
  await using nginx = await startNginx({ path: nginxFound.path, http: nginxHttp(rules), core: serverCore });
  const items = rules.map((rule, index): Item => ({ id: index + 1, kind: "redirect", ...rule }));
  await using agent = await startAgent({ items, core: serverCore });
  for (const { port } of [nginx, agent]) await checkAnswers(port, targets.slice(0, 50));
  for (const server of [nginx, agent]) await measureLoad(server, load);
  const side =
    (name: string, server: typeof nginx) =>
    async (round: number): Promise<Figures> => {
      const figures = await measureLoad(server, load);
      progress(`${name}, round ${round}/${rounds}: ${figures["CPU µs per request"]?.toFixed(2)} µs`);
      return figures;
    };
  const figures = await interleave(rounds, side("agent", agent), side("nginx", nginx));
  yield* compare("patterns over HTTP", figures.ours, figures.peer);
}

/** One process, one measurement. A process that asks for it gets the source's next version. */
function measure(context: Context, name: string, task: Task, source?: SyncSource): Promise<Figures> {
  const script = join(import.meta.dirname, "rules-process.ts");
  const { command, args } = pinned({
    command: process.execPath,
    args: ["--expose-gc", "--conditions=posthouse-source", script, JSON.stringify(task)],
    core: context.serverCore,
  });
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"], timeout: 600_000 });
    let figures: Figures | undefined;
    child.on("message", (message: { figures?: Figures }) => {
      figures = message.figures ?? figures;
      if (message.figures !== undefined) return;
      source?.publish();
      child.send("published");
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (figures === undefined) reject(new Error(`${name}: the process ended with ${code}`));
      else {
        const texts = Object.entries(figures).map(([metric, value]) => `${value.toFixed(2)} ${metric}`);
        context.progress(`${name}: ${texts.join(", ")}`);
        resolve(figures);
      }
    });
  });
}

async function repeat(rounds: number, run: (round: number) => Promise<Figures>): Promise<Figures[]> {
  const all: Figures[] = [];
  for (let round = 1; round <= rounds; round++) all.push(await run(round));
  return all;
}

/** Figures without a peer: the medians. */
function* alone(name: string, rounds: readonly Figures[]): Generator<BenchCase> {
  for (const metric of Object.keys(rounds[0] ?? {})) {
    const ours = median(rounds.map((figures) => figures[metric] ?? Number.NaN));
    yield { case: name, metric, ours, peer: 1, ratio: ours };
  }
}

/** Every rule once, in random order; for every other one the path is of no rule. */
function exactRequests(redirects: readonly Redirect[]): string {
  const known = new Set(redirects.map(({ source }) => source));
  const lines = redirects.map(({ source }, index) => {
    const slash = source.indexOf("/");
    const isHit = index % 2 === 0;
    const miss = source.replace(/.$/, (last) => (last === "x" ? "y" : "x"));
    const asked = isHit || known.has(miss) ? source : miss;
    return `${asked.slice(0, slash)}\t${asked.slice(slash)}\t${asked === source ? "hit" : ""}`;
  });
  return `${shuffle(lines, createRandom(5)).join("\n")}\n`;
}

/** Half of the requests hit, a quarter share a rule's prefix and miss, a quarter share nothing. */
function patternLines(patterns: number, requests: number): string {
  const random = createRandom(3);
  const lines = Array.from({ length: requests }, (_, index) => {
    const rule = Math.floor(random() * patterns);
    if (index % 2 === 0) return `h.example\t${sectionTarget(rule, title(random))}\thit`;
    if (index % 4 === 1) return `h.example\t${sectionTarget(rule, `${title(random)}/Print_View`)}\t`;
    return `h.example\t/archive/${title(random)}/${rule}\t`;
  });
  return `${lines.join("\n")}\n`;
}

function title(random: () => number): string {
  return `page-about-${Math.floor(random() * 1e9).toString(36)}`;
}

/** The same items but for one, so that the whole has another hash. */
function otherVersion(items: readonly Item[]): Item[] {
  return items.map((item, index) =>
    index === 0 && item.kind === "redirect" ? { ...item, target: `${item.target}-2` } : item,
  );
}

const nginxHttp =
  (rules: readonly Redirect[]) =>
  (port: number): string => {
    const lines = rules.map(({ source }) => `"~${source}" /new/$1;`);
    return `keepalive_requests 1000000000;
map_hash_bucket_size 512;
map $request_uri $target { default ""; ${lines.join("\n")} }
server {
  listen 127.0.0.1:${port};
  absolute_redirect off;
  location / { if ($target = "") { return 404; } return 301 $target; }
}`;
  };

async function checkAnswers(port: number, targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const answer = await fetch(`http://127.0.0.1:${port}${target}`, { redirect: "manual" });
    await answer.arrayBuffer();
    const wanted = `/new/${target.slice(target.lastIndexOf("/") + 1)}`;
    const location = answer.headers.get("location") ?? "";
    if (answer.status !== 301 || !location.endsWith(wanted)) {
      throw new Error(`${target} is answered with ${answer.status} ${location}, expected 301 ${wanted}`);
    }
  }
}
