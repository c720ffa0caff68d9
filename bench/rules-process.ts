/** One measurement of `rules.bench.ts` in a process of its own: `rules-process.ts TASK`, JSON; the figures are sent. */
import { readFile } from "node:fs/promises";
import { createClient } from "@posthouse/client";
import { createFileStore } from "@posthouse/client/node";
import type { Item } from "@posthouse/protocol";
import { createRuleSetBuilder, type RuleSet } from "@posthouse/rules";
import { boundHeapGrowth } from "@posthouse/service";
import { sectionRule, sectionTarget } from "./data.ts";
import { type Figures, median } from "./rounds.ts";
import { sourceProject } from "./sync-source.ts";

/** `requests`: a file of lines `host<TAB>target<TAB>what answers`, in the order in which they are asked. */
export type Task =
  | { readonly kind: "load"; readonly url: string; readonly file: string; readonly swaps: number }
  | { readonly kind: "lookup"; readonly url: string; readonly requests: string; readonly repeats: number }
  | {
      readonly kind: "patterns";
      readonly rules: number;
      readonly requests: string;
      readonly repeats: number;
    };

async function main(): Promise<void> {
  const task = JSON.parse(process.argv[2] ?? "") as Task;
  const figures =
    task.kind === "load"
      ? await load(task)
      : task.kind === "lookup"
        ? await lookUp(task)
        : await runPatterns(task);
  process.send?.({ figures });
  process.disconnect?.();
}

/** Bytes in use, outside of the heap too, after collecting twice. */
function heldBytes(): number {
  if (globalThis.gc === undefined) throw new Error("start node with --expose-gc");
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** The longest time, in ms, in which a timer of 1 ms had to wait. It does not spin: what else runs needs the core. */
function watchPauses(): { stop(): number } {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1);
  return {
    stop() {
      clearInterval(timer);
      return longest;
    },
  };
}

/** Loads as an agent does, and writes to disk; then swaps, each time for a whole other version. */
async function load({ url, file, swaps }: Task & { kind: "load" }): Promise<Figures> {
  boundHeapGrowth();
  const before = heldBytes();
  let durationMs = 0;
  let saved = Promise.withResolvers<void>();
  const client = createClient({
    manager: { url, ...sourceProject, token: "none" },
    agent: { name: "bench" },
    push: false,
    store: createFileStore(file),
    onEvent(event) {
      if (event.type === "loaded") durationMs = event.durationMs;
      if (event.type === "saved") saved.resolve();
      if (event.type === "failed" && event.operation !== "read") saved.reject(event.error);
    },
  });
  const pauses = watchPauses();
  const cpu = process.threadCpuUsage();
  await client.start();
  await saved.promise;
  const used = process.threadCpuUsage(cpu);
  const longestMs = pauses.stop();
  const loadMs = durationMs;
  const rules = (client.ruleSet?.redirects ?? 0) + (client.ruleSet?.pages ?? 0);
  const held = heldBytes() - before;
  for (let swap = 0; swap < swaps; swap++) {
    saved = Promise.withResolvers<void>();
    await publish();
    await client.checkNow();
    await saved.promise;
  }
  const { rss } = process.memoryUsage();
  await client.stop();
  return {
    "ms from lines": loadMs,
    "CPU ms from lines to disk": (used.user + used.system) / 1000,
    "longest pause, ms": longestMs,
    "bytes a rule": held / rules,
    "RSS MB": rss / 1e6,
  };
}

/** Asks the parent for the next version; it answers when it is there. */
function publish(): Promise<void> {
  const done = new Promise<void>((resolve) => process.once("message", () => resolve()));
  process.send?.({ publish: true });
  return done;
}

interface Requests {
  readonly hosts: string[];
  readonly targets: Buffer[];
  readonly hits: number;
}

async function readRequests(file: string): Promise<Requests> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  const cells = lines.map((line) => line.split("\t"));
  const hosts = new Map<string, string>();
  const own = (host: string): string => {
    const known = hosts.get(host) ?? Buffer.from(host).toString("latin1");
    hosts.set(known, known);
    return known;
  };
  return {
    hosts: cells.map(([host = ""]) => own(host)),
    targets: cells.map(([, target = ""]) => Buffer.from(target)),
    hits: cells.filter(([, , answer = ""]) => answer !== "").length,
  };
}

/** Matching, and the least that could be done instead: a Map by host and target. In turns, as the machine may change. */
async function lookUp({ url, requests, repeats }: Task & { kind: "lookup" }): Promise<Figures> {
  const client = createClient({
    manager: { url, ...sourceProject, token: "none" },
    agent: { name: "bench" },
    push: false,
  });
  await client.start();
  await client.ready();
  const { ruleSet } = client;
  await client.stop();
  if (ruleSet === undefined) throw new Error("nothing was loaded");
  const map = new Map([...ruleSet.items()].map((item) => [nameOf(item), item]));
  const asked = await readRequests(requests);
  const ours: number[] = [];
  const peer: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const [mapMs, mapHits] = timeMap(map, asked);
    const [matchMs, matchHits] = timeMatches(ruleSet, asked);
    if (mapHits !== asked.hits || matchHits !== asked.hits)
      throw new Error(`${matchHits} and ${mapHits} of ${asked.hits} hit`);
    if (repeat === 0) continue;
    ours.push((matchMs * 1e6) / asked.targets.length);
    peer.push((mapMs * 1e6) / asked.targets.length);
  }
  return {
    ours: median(ours),
    peer: median(peer),
    ratio: median(ours.map((ns, at) => ns / (peer[at] ?? 1))),
  };
}

function nameOf(item: Item): string {
  return item.kind === "page" ? item.path : item.source;
}

function timeMap(map: ReadonlyMap<string, unknown>, { hosts, targets }: Requests): [number, number] {
  const started = performance.now();
  let hits = 0;
  for (let at = 0; at < targets.length; at++) {
    if (map.get(`${hosts[at]}${targets[at]?.toString("latin1")}`) !== undefined) hits += 1;
  }
  return [performance.now() - started, hits];
}

function timeMatches(ruleSet: RuleSet, { hosts, targets }: Requests): [number, number] {
  const started = performance.now();
  let hits = 0;
  for (let at = 0; at < targets.length; at++) {
    if (ruleSet.match(hosts[at] ?? "", targets[at]?.toString("latin1") ?? "") !== undefined) hits += 1;
  }
  return [performance.now() - started, hits];
}

async function runPatterns({ rules, requests, repeats }: Task & { kind: "patterns" }): Promise<Figures> {
  const asked = await readRequests(requests);
  const before = heldBytes();
  const builder = createRuleSetBuilder();
  for (let index = 0; index < rules; index++)
    builder.put({ id: index + 1, kind: "redirect", ...sectionRule(index) });
  const ruleSet = builder.build();
  const micros: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const cpu = process.threadCpuUsage();
    const [, hits] = timeMatches(ruleSet, asked);
    const { user, system } = process.threadCpuUsage(cpu);
    if (hits !== asked.hits) throw new Error(`${hits} of ${asked.hits} hit`);
    micros.push((user + system) / asked.targets.length);
  }
  const [first = Number.NaN, ...warm] = micros;
  for (let index = 0; index < rules; index++) {
    const uri = sectionTarget(index, "last");
    if (ruleSet.match("h.example", uri) === undefined) throw new Error(`${uri} did not match`);
  }
  const held = heldBytes() - before;
  if (ruleSet.redirects !== rules) throw new Error(`${ruleSet.redirects} of ${rules} rules are served`);
  return {
    "CPU µs per match": median(warm),
    "CPU µs per match, from the first on": first,
    "MB when all have run": held / 1e6,
  };
}

await main();
