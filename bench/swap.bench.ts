/**
 * A whole government's redirects loaded beside those that are served, and written to disk: how long the serving thread
 * is held at a time, how long it takes, and what memory is left after twenty times. There is no peer: the figure beside
 * ours is the limit.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";
import { formatItem, type Item, type Redirect, type SnapshotHeader, syncHeader } from "@posthouse/protocol";
import { snapshotHash } from "@posthouse/testkit/peer-snapshot";
import type { Bench, BenchCase } from "./bench.ts";
import { generateRedirects, readRedirects } from "./data.ts";
import { median } from "./rounds.ts";

const pauseLimitMs = 20;
const loadLimitMs = 1_000;
const rssLimitMB = 400;
const swaps = 20;

export const bench: Bench = {
  description:
    "loading a whole government beside what is served: longest pause of the serving thread, memory",
  async *run(context) {
    const redirects = context.data === undefined ? generateRedirects() : await readRedirects(context.data);
    context.progress(`${redirects.length} redirects`);
    const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
    const manager = await startManager(redirects);
    try {
      const runs: Loaded[][] = [];
      for (let round = 0; round < context.rounds; round++) {
        const loaded = await load(manager, join(folder, "copy"), round === 0 ? swaps : 1);
        runs.push(loaded);
        for (const each of loaded.slice(0, 2)) context.progress(JSON.stringify(each));
      }
      const [first, second] = [0, 1].map((index) => runs.flatMap((run) => run[index] ?? []));
      yield* summary("first load", first ?? []);
      yield* summary("swap", second ?? []);
      const swapped = runs[0]?.slice(1) ?? [];
      yield* limited(
        `${swaps} swaps`,
        "longest pause, median ms",
        medianOf(swapped, "pauseMs"),
        pauseLimitMs,
      );
      yield* limited(`${swaps} swaps`, "RSS MB afterwards", swapped.at(-1)?.rssMB ?? Number.NaN, rssLimitMB);
    } finally {
      manager.close();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface Loaded {
  readonly version: number;
  readonly loadMs: number;
  readonly pauseMs: number;
  readonly pauseCpuMs: number;
  readonly rssMB: number;
}

const medianOf = (all: readonly Loaded[], figure: keyof Loaded): number =>
  median(all.map((each) => each[figure]));

function* summary(name: string, all: readonly Loaded[]): Generator<BenchCase> {
  yield* limited(name, "longest pause, median ms", medianOf(all, "pauseMs"), pauseLimitMs);
  yield* limited(name, "longest pause in CPU time, median ms", medianOf(all, "pauseCpuMs"), pauseLimitMs);
  yield* limited(name, "loaded in, median ms", medianOf(all, "loadMs"), loadLimitMs);
}

function* limited(name: string, metric: string, ours: number, limit: number): Generator<BenchCase> {
  yield { case: name, metric, ours, peer: limit, ratio: ours / limit };
}

/** Starts a server, lets it load the first version and swap that often. */
async function load(manager: OneProject, file: string, times: number): Promise<Loaded[]> {
  await rm(file, { force: true });
  const child: ChildProcess = spawn(
    process.execPath,
    ["--conditions=posthouse-source", join(import.meta.dirname, "swap-server.ts"), manager.url, file],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const loaded: Loaded[] = [];
  try {
    if (!child.stdout) throw new Error("the server has no output");
    for await (const line of createInterface({ input: child.stdout })) {
      loaded.push(JSON.parse(line) as Loaded);
      if (loaded.length > times) break;
      manager.publish();
    }
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  return loaded;
}

interface OneProject {
  readonly url: string;
  /** The next version, in which every redirect is another one. */
  publish(): void;
  close(): void;
}

/** Serves two snapshots in turn, ready made. */
async function startManager(redirects: readonly Redirect[]): Promise<OneProject> {
  const contents = ["", "#other"].map((suffix) => {
    const items = redirects.map(
      (redirect, index): Item => ({
        id: index + 1,
        kind: "redirect",
        ...redirect,
        target: redirect.target + suffix,
      }),
    );
    return { hash: snapshotHash(items), items: items.length, text: `${items.map(formatItem).join("\n")}\n` };
  });
  let version = 1;
  const made = new Map<number, Buffer>();
  const snapshot = (): Buffer => {
    const { hash, items, text } = contents[version % 2] as (typeof contents)[number];
    const header: SnapshotHeader = {
      posthouse: "snapshot",
      format: 1,
      namespace: "n",
      project: "p",
      version,
      hash,
      items,
    };
    return gzipSync(`${JSON.stringify(header)}\n${text}`, { level: 3 });
  };
  made.set(version, snapshot());
  const server = createServer((request, response) => {
    const path = request.url?.split("/").at(-1) ?? "";
    request.resume();
    if (path === "version") response.writeHead(200, { [syncHeader]: "1" }).end(`${version}\n`);
    else if (path === "snapshot")
      response.writeHead(200, { "content-encoding": "gzip" }).end(made.get(version));
    else if (path.startsWith("changes")) response.writeHead(404).end();
    else response.end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    publish() {
      made.clear();
      version++;
      made.set(version, snapshot());
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
