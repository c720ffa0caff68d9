/**
 * The agent beside nginx: one server at a time on one core, the load on another, keep-alive connections, logs off, the
 * same requests in the same random order over all rules, every one of which hits. Only a Host header is sent.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import type { Item, Redirect } from "@posthouse/protocol";
import { startAgent } from "@posthouse/testkit/peer-agent";
import { type PeerProcess, startPeer } from "@posthouse/testkit/peer-process";
import { freePort, needPackage, startNginx } from "@posthouse/testkit/services";
import { type Bench, type BenchContext, BenchSkipped } from "./bench.ts";
import { createRandom, generateRedirects, readRedirects, shuffle } from "./data.ts";
import { type LoadOptions, measureLoad } from "./load.ts";
import { compare, interleave } from "./rounds.ts";

type Server = PeerProcess & { readonly port: number };

const connections = 64;
const seconds = 3;
const sampled = 500;

export const bench: Bench = {
  description:
    "redirects of a whole government, agent and node:http alone beside nginx: CPU time per request",
  async *run(context) {
    const [nginxFound, wrkFound] = [
      await needPackage("nginx-light", "nginx"),
      await needPackage("wrk", "wrk"),
    ];
    if ("missing" in nginxFound) throw new BenchSkipped(nginxFound.missing);
    if ("missing" in wrkFound) throw new BenchSkipped(wrkFound.missing);
    const [serverCore, loadCore] = await chooseCores(context);

    const all = context.data === undefined ? generateRedirects() : await readRedirects(context.data);
    const redirects = forNginx(all);
    context.progress(
      `${redirects.length} redirects (${all.length - redirects.length} left out: nginx cannot hold them)`,
    );

    const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
    try {
      const shuffled = shuffle(redirects, createRandom(7));
      const load: LoadOptions = {
        wrk: wrkFound.path,
        requests: join(folder, "requests.tsv"),
        connections,
        seconds,
        core: loadCore,
      };
      await writeFile(load.requests, shuffled.map(requestLine).join(""));
      const table = join(folder, "table.tsv");
      await writeFile(table, redirects.map(({ source, target }) => `${source}\t${target}`).join("\n"));

      await using nginx = await startNginx({
        path: nginxFound.path,
        http: nginxHttp,
        files: { "map.conf": redirects.map(mapLine).join("") },
        core: serverCore,
      });
      await using agent = await startAgent({ items: redirects.map(toItem), core: serverCore });
      await using bare = await startBare(table, serverCore);

      const sides: [string, Server][] = [
        ["agent, every request hits", agent],
        ["node:http alone, every request hits", bare],
      ];
      for (const [name, server] of [["nginx", nginx] as const, ...sides]) {
        await checkAnswers(name, server.port, shuffled.slice(0, sampled));
      }
      context.progress(`${sampled} sampled answers of each server are right; warming up`);
      for (const server of [nginx, agent, bare]) await measureLoad(server, load);

      for (const [name, server] of sides) {
        const figures = await interleave(
          context.rounds,
          (round) => progressing(context, name, round, measureLoad(server, load)),
          (round) => progressing(context, "nginx", round, measureLoad(nginx, load)),
        );
        yield* compare(name, figures.ours, figures.peer);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The core of the servers, and that of the load. */
export async function chooseCores({
  progress,
}: BenchContext): Promise<[number | undefined, number | undefined]> {
  if (cpus().length >= 2 && "path" in (await needPackage("util-linux", "taskset"))) return [0, 1];
  progress("servers and load are NOT kept on cores of their own: taskset or a second core is missing");
  return [undefined, undefined];
}

async function progressing<T extends Readonly<Record<string, number>>>(
  { progress, rounds }: BenchContext,
  name: string,
  round: number,
  measuring: Promise<T>,
): Promise<T> {
  const figures = await measuring;
  const cpu = figures["CPU µs per request"]?.toFixed(2);
  progress(
    `round ${round}/${rounds}, ${name}: ${cpu} µs, ${figures["requests per second"]?.toFixed(0)} requests/s`,
  );
  return figures;
}

/** nginx folds the case of a map's keys, expands `$` in targets, and refuses paths that climb above the root: out of both streams. */
function forNginx(redirects: readonly Redirect[]): Redirect[] {
  const sources = Map.groupBy(redirects, ({ source }) => source.toLowerCase());
  return redirects.filter(
    ({ source, target }) =>
      sources.get(source.toLowerCase())?.length === 1 &&
      !target.includes("$") &&
      !/\/\.\.?(?:\/|$)/.test(source),
  );
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
const mapLine = ({ source, target }: Redirect): string => `${quoted(source)} ${quoted(target)};\n`;
const toItem = (redirect: Redirect, index: number): Item => ({
  id: index + 1,
  kind: "redirect",
  ...redirect,
});

function splitSource(source: string): { host: string; target: string } {
  const slash = source.indexOf("/");
  return { host: source.slice(0, slash), target: source.slice(slash) };
}

function requestLine({ source }: Redirect): string {
  const { host, target } = splitSource(source);
  return `${host}\t${target}\n`;
}

function nginxHttp(port: number, folder: string): string {
  return `keepalive_requests 1000000000;
map_hash_max_size 1000000;
map_hash_bucket_size 512;
map "$host$request_uri" $target { default ""; include ${folder}/map.conf; }
server {
  listen 127.0.0.1:${port};
  location / { if ($target = "") { return 404; } return 301 $target; }
}`;
}

async function startBare(table: string, core: number | undefined): Promise<Server & AsyncDisposable> {
  const port = await freePort();
  const args = [join(import.meta.dirname, "bare-server.ts"), String(port), table];
  return { ...(await startPeer({ command: process.execPath, args, port, core })), port };
}

async function checkAnswers(name: string, port: number, redirects: readonly Redirect[]): Promise<void> {
  for (const { source, target } of redirects) {
    const request = splitSource(source);
    const answer = await ask(port, request.host, request.target);
    if (answer !== `301 ${target}`)
      throw new Error(`${name} answers ${source} with ${answer}, expected 301 ${target}`);
  }
}

function ask(port: number, host: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: "127.0.0.1", port, path, headers: { host }, timeout: 10_000 }, (response) => {
      response.resume().on("error", reject);
      resolve(`${response.statusCode} ${response.headers.location ?? ""}`);
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("no answer")));
  });
}
