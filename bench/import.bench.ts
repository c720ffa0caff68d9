/**
 * Imports into a Manager in a process of its own, through HTTP, checks included, while somebody polls the version. No
 * peer does the same: the figures stand beside what is asked for, and the ratio is 1 where it is just reached.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redirect } from "@posthouse/protocol";
import { startPeer } from "@posthouse/testkit/peer-process";
import { freePort } from "@posthouse/testkit/services";
import type { Bench, BenchCase } from "./bench.ts";
import { generateRedirects, readRedirects } from "./data.ts";

const main = join(import.meta.dirname, "..", "apps", "posthouse", "src", "main.ts");
const askedRowsPerSecond = 50_000;
const askedPollMs = 100;
const patternCount = 50_000;

interface Manager {
  send<T>(method: string, path: string, body?: string, type?: string): Promise<T>;
  /** Milliseconds of a version poll. */
  poll(): Promise<number>;
}

interface Imported {
  readonly importedCount: number;
  readonly errorCount: number;
}

interface Round {
  readonly rowsPerSecond: number;
  readonly slowestPollMs: number;
}

export const bench: Bench = {
  description:
    "imports into the Manager through HTTP: rows per second, and how long a version poll takes meanwhile",
  async *run({ data, rounds, progress }) {
    const redirects = data === undefined ? generateRedirects() : await readRedirects(data);
    const lists = {
      "a list into an empty project": toTsv(redirects),
      "the same list, other targets": toTsv(redirects.map(moved)),
      "patterns into an empty project": toTsv(generatePatterns()),
    };
    const figures = new Map<string, Round[]>();
    const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-import-"));
    try {
      const file = join(folder, "manager.yaml");
      const port = await freePort();
      const config = {
        listen: `127.0.0.1:${port}`,
        database: { path: join(folder, "m.db") },
        log: { level: "error" },
      };
      await writeFile(file, JSON.stringify(config));
      const args = ["--conditions=posthouse-source", main, "manager", "-c", file];
      await using peer = await startPeer({ command: process.execPath, args, port });
      const manager = await logIn(`http://127.0.0.1:${port}`, peer.output());
      await manager.send("POST", "/namespaces", JSON.stringify({ code: "ns", name: "Bench" }));
      for (let round = 0; round <= rounds; round += 1) {
        for (const [name, text] of Object.entries(lists)) {
          const project = `/namespaces/ns/projects/${name.includes("patterns") ? "p" : "r"}${round}`;
          if (!name.includes("same")) await createProject(manager, project);
          const measured = await measureImport(manager, project, text);
          if (name.includes("empty")) await manager.send("POST", `${project}/publish`);
          progress(
            `${round === 0 ? "warming up" : `round ${round}/${rounds}`}, ${name}: ${measured.rowsPerSecond.toFixed(0)} rows/s, slowest poll ${measured.slowestPollMs.toFixed(0)} ms`,
          );
          if (round > 0) figures.set(name, [...(figures.get(name) ?? []), measured]);
        }
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    for (const [name, measured] of figures) yield* casesOf(name, measured);
  },
};

function* casesOf(name: string, rounds: readonly Round[]): Generator<BenchCase> {
  const rows = median(rounds.map(({ rowsPerSecond }) => rowsPerSecond));
  const poll = median(rounds.map(({ slowestPollMs }) => slowestPollMs));
  const asked = { case: name, peer: askedRowsPerSecond, ours: rows, ratio: askedRowsPerSecond / rows };
  yield { ...asked, metric: "rows per second (asked)" };
  yield {
    case: name,
    metric: "slowest poll ms (allowed)",
    ours: poll,
    peer: askedPollMs,
    ratio: poll / askedPollMs,
  };
}

async function measureImport(manager: Manager, project: string, text: string): Promise<Round> {
  const rows = text.split("\n").length - 1;
  let running = true;
  let slowestPollMs = 0;
  const polling = (async () => {
    while (running) slowestPollMs = Math.max(slowestPollMs, await manager.poll());
  })();
  const begun = performance.now();
  const path = `${project}/import`;
  const result = await manager.send<Imported>("POST", path, text, "text/tab-separated-values");
  const seconds = (performance.now() - begun) / 1000;
  running = false;
  await polling;
  if (result.importedCount !== rows) throw new Error(`imported ${result.importedCount} of ${rows}`);
  return { rowsPerSecond: rows / seconds, slowestPollMs };
}

async function logIn(url: string, output: string): Promise<Manager> {
  const password = /one-time password (\S+)/.exec(output)?.[1];
  if (password === undefined) throw new Error(`the Manager printed no password:\n${output}`);
  const opened = await fetch(`${url}/api/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password, newPassword: `${password}-changed` }),
  });
  const { token } = (await opened.json()) as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  return {
    async send<T>(method: string, path: string, body?: string, type = "application/json"): Promise<T> {
      const init = body === undefined ? { headers } : { headers: { ...headers, "content-type": type }, body };
      const response = await fetch(`${url}/api/v1${path}`, { method, ...init });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return JSON.parse(text) as T;
    },
    async poll() {
      const begun = performance.now();
      const response = await fetch(`${url}/api/namespace/ns/project/r0/version`, { headers });
      if (!response.ok) throw new Error(`poll: ${response.status}`);
      await response.text();
      return performance.now() - begun;
    },
  };
}

async function createProject(manager: Manager, project: string): Promise<void> {
  const code = project.split("/").at(-1);
  await manager.send("POST", "/namespaces/ns/projects", JSON.stringify({ code, name: "Bench" }));
}

function generatePatterns(): Redirect[] {
  return Array.from({ length: patternCount }, (_, index) => ({
    type: "REGEX",
    source: `^/old/section-${index % 500}/page-${index}/([a-z0-9-]+)$`,
    target: "/new/$1",
    status: "MOVED_PERMANENT",
  }));
}

const moved = (redirect: Redirect): Redirect => ({ ...redirect, target: `${redirect.target}/moved` });

function toTsv(redirects: readonly Redirect[]): string {
  const rows = redirects.map(({ type, source, target, status }) => [type, source, target, status].join("\t"));
  return ["type\tsource\ttarget\tstatus", ...rows].join("\n");
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
