/**
 * The agent as a reverse proxy beside nginx, HAProxy and Caddy: one server at a time on one core; the load and the same
 * backend (an nginx) on the other; keep-alive connections everywhere; logs off, but for the one case with all on.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import type { Item } from "@posthouse/protocol";
import { startAgent } from "@posthouse/testkit/peer-agent";
import { needPackage, startNginx } from "@posthouse/testkit/services";
import { type Bench, type BenchCase, type BenchContext, BenchSkipped } from "./bench.ts";
import { sectionRule, sectionTarget } from "./data.ts";
import { type LoadOptions, measureLoad } from "./load.ts";
import {
  kinds,
  needServer,
  redirect,
  type Server,
  type ServerKind,
  type ServerOptions,
} from "./proxy-servers.ts";
import { chooseCores } from "./redirects.bench.ts";
import { compare, type Figures } from "./rounds.ts";

export interface ProxyBenchSizes {
  readonly seconds: number;
  readonly connections: number;
  readonly idleConnections: number;
  readonly patterns: number;
}

interface Context extends BenchContext {
  readonly sizes: ProxyBenchSizes;
  readonly folder: string;
  readonly wrk: string;
  readonly serverCore: number | undefined;
  readonly loadCore: number | undefined;
}

interface Named {
  readonly name: ServerKind["name"];
  readonly server: Server;
}

interface LoadCase {
  readonly name: string;
  readonly lines: readonly string[];
  readonly status: number;
}

const host = "site.example";
const loads: readonly LoadCase[] = [
  { name: "1 KB GET", lines: [`${host}\t/1k.bin`], status: 200 },
  { name: "100 KB GET", lines: [`${host}\t/100k.bin`], status: 200 },
  { name: "1 MB POST", lines: [`${host}\t/upload\t1048576`], status: 200 },
  { name: "redirect hit", lines: [`${host}\t${redirect.source}`], status: 301 },
];

export const bench: Bench = createProxyBench({
  seconds: 2,
  connections: 64,
  idleConnections: 1000,
  patterns: 1000,
});

/** The bench at other sizes. */
export function createProxyBench(sizes: ProxyBenchSizes): Bench {
  return {
    description: "forwarding beside nginx, HAProxy and Caddy: CPU time per request, memory",
    async *run(given) {
      const wrk = await needPackage("wrk", "wrk");
      const nginx = await needPackage("nginx-light", "nginx");
      if ("missing" in wrk) throw new BenchSkipped(wrk.missing);
      if ("missing" in nginx) throw new BenchSkipped(nginx.missing);
      const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
      try {
        const [serverCore, loadCore] = await chooseCores(given);
        const context: Context = { ...given, sizes, folder, wrk: wrk.path, serverCore, loadCore };
        await using backend = await startBackend(nginx.path, loadCore);
        yield* measurePlain(context, { core: serverCore, backendPort: backend.port });
        yield* measureTls(context, { core: serverCore, backendPort: backend.port });
        yield* measurePatterns(context, nginx.path, backend.port);
        yield* measureLogs(context, { core: serverCore, backendPort: backend.port });
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

function startBackend(path: string, core: number | undefined): Promise<Server> {
  return startNginx({
    path,
    core,
    files: { "1k.bin": "k".repeat(1024), "100k.bin": "k".repeat(100 * 1024) },
    http: (port, folder) => `keepalive_requests 1000000000;
keepalive_timeout 1h;
open_file_cache max=10 inactive=1h;
sendfile on;
server {
  listen 127.0.0.1:${port};
  root ${folder};
  client_max_body_size 10m;
  client_body_buffer_size 2m;
  location = /done { return 200 "ok"; }
  # Answers once it has the whole body: wrk does not understand earlier answers.
  location = /upload {
    proxy_pass http://127.0.0.1:${port}/done;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
  }
}`,
  });
}

async function* measurePlain(context: Context, options: ServerOptions): AsyncGenerator<BenchCase> {
  await using servers = await startAll(context, options);
  // Before anything else has made their heaps grow.
  yield* measureIdle(context, servers.list);
  for (const each of loads) yield* measureCase(context, servers.list, each);
}

/** Those whose program is there; what is missing is said. */
async function startAll(
  context: Context,
  options: ServerOptions,
): Promise<AsyncDisposable & { readonly list: readonly Named[] }> {
  const list: Named[] = [];
  const dispose = async (): Promise<void> => {
    for (const { server } of list) await server.stop();
  };
  try {
    for (const kind of kinds) {
      const found = await needServer(kind);
      if ("missing" in found) context.progress(`NOT MEASURED: ${kind.name}: ${found.missing}`);
      else list.push({ name: kind.name, server: await kind.start(found.path, options) });
    }
  } catch (error) {
    await dispose();
    throw error;
  }
  return { list, [Symbol.asyncDispose]: dispose };
}

async function* measureCase(
  context: Context,
  servers: readonly Named[],
  { name, lines, status }: LoadCase,
  scheme: "http" | "https" = "http",
): AsyncGenerator<BenchCase> {
  const { folder, wrk, sizes, loadCore, rounds, progress } = context;
  const requests = join(folder, "requests.tsv");
  await writeFile(requests, `${lines.join("\n")}\n`);
  const { connections, seconds } = sizes;
  const load: LoadOptions = { wrk, requests, connections, seconds, core: loadCore, scheme };
  const figures = new Map<string, Figures[]>(servers.map((each) => [each.name, []]));
  for (const each of servers) {
    if (scheme === "http") await checkAnswer(each, lines[0] ?? "", status);
    if (each.name === "Posthouse") await warmUp(each.server, load);
    else await measureLoad(each.server, load);
  }
  for (let round = 1; round <= rounds; round++) {
    for (const each of servers) {
      const measured = await measureLoad(each.server, load);
      figures.get(each.name)?.push(measured);
      const [cpu, rate] = [measured["CPU µs per request"], measured["requests per second"]];
      progress(
        `${name}, ${round}/${rounds}, ${each.name}: ${cpu?.toFixed(2)} µs, ${rate?.toFixed(0)} requests/s (load ${loadavg()[0]?.toFixed(1)})`,
      );
    }
  }
  yield* compareAll(name, figures);
}

const warmRequests = 150_000;
const warmMs = 20_000;

/** Until it has answered so many that V8 has compiled what is hot, also on a machine with other work. */
async function warmUp(server: Server, load: LoadOptions): Promise<void> {
  const endsAt = performance.now() + warmMs;
  for (let answered = 0; answered < warmRequests && performance.now() < endsAt; ) {
    const figures = await measureLoad(server, load);
    answered += (figures["requests per second"] ?? 0) * load.seconds;
  }
}

function* compareAll(name: string, figures: ReadonlyMap<string, readonly Figures[]>): Generator<BenchCase> {
  const ours = figures.get("Posthouse") ?? [];
  for (const [peer, theirs] of figures)
    if (peer !== "Posthouse") yield* compare(`${name}, beside ${peer}`, ours, theirs);
}

async function checkAnswer({ name, server }: Named, line: string, status: number): Promise<void> {
  const [, path, bytes] = line.split("\t");
  const body = bytes === undefined ? null : "x".repeat(Number(bytes));
  const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, {
    method: body === null ? "GET" : "POST",
    body,
    redirect: "manual",
  });
  const length = (await answer.arrayBuffer()).byteLength;
  const expected = /(\d+)k/.exec(path ?? "")?.[1];
  if (answer.status !== status || (expected !== undefined && length !== Number(expected) * 1024))
    throw new Error(`${name} answers ${path} with ${answer.status} and ${length} bytes`);
}

/** Connections that asked once and stay open. */
async function* measureIdle(context: Context, servers: readonly Named[]): AsyncGenerator<BenchCase> {
  const { idleConnections } = context.sizes;
  const figures = new Map<string, Figures[]>();
  for (const { name, server } of servers) {
    const before = (await server.usage()).rssBytes;
    const sockets: Socket[] = [];
    try {
      for (let count = 0; count < idleConnections; count++) sockets.push(await openIdle(server.port));
      const after = (await server.usage()).rssBytes;
      figures.set(name, [
        {
          "RSS MiB": after / 2 ** 20,
          "KiB each more": Math.max(0.01, (after - before) / 1024 / idleConnections),
        },
      ]);
    } finally {
      for (const socket of sockets) socket.destroy();
    }
  }
  yield* compareAll("1,000 idle connections", figures);
}

/** Everybody writes a line for every request: combined, HAProxy its httplog, Caddy its JSON. */
async function* measureLogs(context: Context, options: ServerOptions): AsyncGenerator<BenchCase> {
  await using servers = await startAll(context, { ...options, logFolder: context.folder });
  const each = { name: "1 KB GET with access logs", lines: [`${host}\t/1k.bin`], status: 200 };
  yield* measureCase(context, servers.list, each);
  for (const { name } of servers.list) await checkLog(join(context.folder, `${name.toLowerCase()}.log`));
}

async function checkLog(path: string): Promise<void> {
  const { size } = await stat(path);
  if (size < 1024 * 1024) throw new Error(`${path} holds ${size} bytes: not every request was logged`);
}

function openIdle(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" });
    let length = 0;
    socket.on("error", reject);
    socket.on("data", (bytes: Buffer) => {
      length += bytes.length;
      if (length > 1024) resolve(socket);
    });
    socket.write(`GET /1k.bin HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  });
}

async function* measureTls(context: Context, options: ServerOptions): AsyncGenerator<BenchCase> {
  const openssl = await needPackage("openssl", "openssl");
  if ("missing" in openssl) {
    context.progress(`NOT MEASURED: TLS with keep-alive: ${openssl.missing}`);
    return;
  }
  const tls = await makeCertificate(openssl.path, context.folder);
  let servers: Awaited<ReturnType<typeof startAll>>;
  try {
    servers = await startAll(context, { ...options, tls });
  } catch (error) {
    context.progress(`NOT MEASURED: TLS with keep-alive: ${String(error).slice(0, 300)}`);
    return;
  }
  await using all = servers;
  yield* measureCase(
    context,
    all.list,
    { name: "TLS with keep-alive", lines: [`${host}\t/1k.bin`], status: 200 },
    "https",
  );
}

async function makeCertificate(
  openssl: string,
  folder: string,
): Promise<{ cert: string; key: string; both: string }> {
  const [cert, key, both] = [join(folder, "cert.pem"), join(folder, "key.pem"), join(folder, "both.pem")];
  const subject = ["-subj", `/CN=${host}`, "-addext", `subjectAltName=DNS:${host},IP:127.0.0.1`];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  execFileSync(openssl, ["req", "-x509", ...kind, "-keyout", key, "-out", cert, ...subject], {
    stdio: "pipe",
  });
  await writeFile(both, (await readFile(cert, "utf8")) + (await readFile(key, "utf8")));
  return { cert, key, both };
}

/** What no pattern matches goes to the backend, as most requests of a site do; nginx looks through a `map`. */
async function* measurePatterns(
  context: Context,
  nginxPath: string,
  backendPort: number,
): AsyncGenerator<BenchCase> {
  const rules = Array.from({ length: context.sizes.patterns }, (_, index) => sectionRule(index));
  const items = rules.map((rule, index): Item => ({ id: index + 1, kind: "redirect", ...rule }));
  const forward = `http://127.0.0.1:${backendPort}`;
  const core = context.serverCore;
  await using agent = await startAgent({ items, core, host: { forward, preserve_host: true } });
  await using nginx = await startNginx({
    path: nginxPath,
    core,
    http: (port) => `keepalive_requests 1000000000;
map_hash_bucket_size 512;
map $request_uri $target { default ""; ${rules.map(({ source }) => `"~${source}" /new/$1;`).join("\n")} }
upstream backend { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 1000000000; }
server {
  listen 127.0.0.1:${port};
  absolute_redirect off;
  location / {
    if ($target != "") { return 301 $target; }
    proxy_pass http://backend;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
  }
}`,
  });
  const servers: Named[] = [
    { name: "Posthouse", server: agent },
    { name: "nginx", server: nginx },
  ];
  const hits = rules.map((_, index) => `${host}\t${sectionTarget(index, "some-page")}`);
  yield* measureCase(context, servers, { name: "1,000 regex rules, hit", lines: hits, status: 301 });
  const misses = [`${host}\t/1k.bin`];
  yield* measureCase(context, servers, { name: "1,000 regex rules, forwarded", lines: misses, status: 200 });
}
