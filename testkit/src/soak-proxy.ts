/**
 * The soak of the proxy: a real agent and a real Manager; requests through the agent to a backend without a pause, while
 * the agent's configuration is reloaded and the project published again and again. No request may fail.
 */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type AgentProcess, startAgentProcess } from "./agent-process.ts";
import { type ManagerProcess, startManagerProcess } from "./manager-process.ts";

export interface ProxySoakOptions {
  readonly durationMs: number;
  readonly reloads: number;
  readonly publishes: number;
  readonly connections?: number;
  progress?(text: string): void;
}

export interface ProxySoakResult {
  readonly seconds: number;
  readonly requests: number;
  readonly failed: number;
  /** The first few of them, in words. */
  readonly examples: readonly string[];
  /** Reloads and publishes whose effect was seen. */
  readonly reloads: number;
  readonly publishes: number;
}

const examplesKept = 10;
const seenWithinMs = 15_000;
const project = "/namespaces/n/projects/p";
const body: Buffer = randomBytes(200_000);

/** Runs it. Throws when the agent or the Manager cannot be started; what it found is in the result. */
export async function soakProxy(options: ProxySoakOptions): Promise<ProxySoakResult> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-soak-proxy-"));
  const backend = await startBackend();
  const pool = new Agent({ keepAlive: true, maxSockets: (options.connections ?? 12) + 2 });
  try {
    await using manager = await startManagerProcess({ folder: join(folder, "manager") });
    const token = await prepare(manager);
    const { port } = backend.address() as AddressInfo;
    const source = { url: manager.url, namespace: "n", project: "p", token };
    const projects = { p: { manager: source } };
    const base = { name: "soak", state: join(folder, "state"), log: { level: "info" }, projects };
    const upstream = `http://127.0.0.1:${port}`;
    await using agent = await startAgentProcess({
      folder: join(folder, "agent"),
      project: "p",
      config: base,
      host: { forward: upstream },
    });
    await seen(async () => (await agent.ask("/published")) === "302 /version-0");
    return await run({ options, manager, agent, pool, base, upstream });
  } finally {
    pool.destroy();
    backend.closeAllConnections();
    backend.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** What is not as it must be, in words; empty when all is well. */
export function proxySoakProblems(result: ProxySoakResult, options: ProxySoakOptions): string[] {
  const problems: string[] = [];
  if (result.requests === 0) problems.push("nothing was asked");
  if (result.failed > 0) problems.push(`${result.failed} failed requests, such as ${result.examples[0]}`);
  if (result.reloads < options.reloads)
    problems.push(`${result.reloads} of ${options.reloads} reloads took effect`);
  if (result.publishes < options.publishes)
    problems.push(`${result.publishes} of ${options.publishes} publishes took effect`);
  return problems;
}

/** `/large` gives the body, everything else echoes what it is sent. */
async function startBackend(): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/large") response.end(body);
    else request.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const redirect = (version: number): object => ({
  type: "BASIC",
  source: "/published",
  target: `/version-${version}`,
  status: "FOUND",
});

async function prepare(manager: ManagerProcess): Promise<string> {
  await manager.api("POST", "/namespaces", { code: "n", name: "N" });
  await manager.api("POST", "/namespaces/n/projects", { code: "p", name: "P" });
  await manager.api("POST", `${project}/redirects`, redirect(0));
  await manager.api("POST", `${project}/publish`);
  const right = (resource: string, action: string) => ({ namespace: "n", project: "p", resource, action });
  const permissions = [right("redirect", "read"), right("page", "read"), right("agent", "write")];
  const { token } = await manager.api<{ token: string }>("POST", "/tokens", {
    name: "a",
    permissions,
    admin: [],
  });
  return token;
}

interface Run {
  readonly options: ProxySoakOptions;
  readonly manager: ManagerProcess;
  readonly agent: AgentProcess;
  readonly pool: Agent;
  readonly base: Readonly<Record<string, unknown>>;
  readonly upstream: string;
}

async function run(soak: Run): Promise<ProxySoakResult> {
  const { options, agent, pool } = soak;
  const startedAt = performance.now();
  const endsAt = startedAt + options.durationMs;
  const found = { requests: 0, failed: 0, examples: [] as string[], reloads: 0, publishes: 0 };
  let isOver = false;

  async function load(lane: number): Promise<void> {
    for (let number = lane; !isOver; number++) {
      const problem = await askOne(agent.site, pool, number).catch((error: unknown) => String(error));
      found.requests += 1;
      if (problem === undefined) continue;
      found.failed += 1;
      if (found.examples.length < examplesKept) found.examples.push(problem);
    }
  }

  async function paced(times: number, act: (turn: number) => Promise<boolean>): Promise<number> {
    let effective = 0;
    for (let turn = 1; turn <= times; turn++) {
      if (await act(turn)) effective += 1;
      options.progress?.(`${found.requests} requests, ${found.failed} failed`);
      await sleep(Math.max(0, startedAt + (options.durationMs * turn) / times - performance.now()));
    }
    return effective;
  }

  const lanes = Array.from({ length: options.connections ?? 12 }, (_, lane) => load(lane));
  const [reloads, publishes] = await Promise.all([
    paced(options.reloads, (turn) => reload(soak, turn)),
    paced(options.publishes, (turn) => publish(soak, turn)),
    sleep(Math.max(0, endsAt - performance.now())),
  ]);
  isOver = true;
  await Promise.all(lanes);
  return { ...found, reloads, publishes, seconds: (performance.now() - startedAt) / 1000 };
}

/** Every reload gives the forward other limits, so that it is made anew while the old one still has requests. */
async function reload({ agent, base, upstream }: Run, turn: number): Promise<boolean> {
  const before = reloadsOf(agent);
  await agent.reload(base, { forward: { upstreams: [upstream], timeouts: { idle: `${60 + turn}s` } } });
  return seen(async () => reloadsOf(agent) > before);
}

const reloadsOf = (agent: AgentProcess): number =>
  agent.process.output().split('"configuration reloaded"').length - 1;

async function publish({ manager, agent }: Run, turn: number): Promise<boolean> {
  const { items } = await manager.api<{ items: { id: number }[] }>("GET", `${project}/redirects`);
  await manager.api("PUT", `${project}/redirects/${items[0]?.id}`, redirect(turn));
  await manager.api("POST", `${project}/publish`);
  return seen(async () => (await agent.ask("/published")) === `302 /version-${turn}`);
}

async function seen(check: () => Promise<boolean>): Promise<boolean> {
  const endsAt = performance.now() + seenWithinMs;
  while (performance.now() < endsAt) {
    if (await check().catch(() => false)) return true;
    await sleep(50);
  }
  return false;
}

/** Undefined when the answer is right, else what it was. Small and large answers and uploads come in turn. */
function askOne(site: string, pool: Agent, number: number): Promise<string | undefined> {
  const isLarge = number % 5 === 0;
  const upload = number % 5 === 1 ? body : number % 5 === 2 ? Buffer.from("form=1") : undefined;
  const expected = isLarge ? body : (upload ?? Buffer.alloc(0));
  const method = upload === undefined ? "GET" : "POST";
  const path = isLarge ? "/large" : `/echo/${number}`;
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${site}${path}`, { method, agent: pool, timeout: 20_000 }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("error", reject);
      response.on("end", () => {
        const all = Buffer.concat(pieces);
        const isRight = response.statusCode === 200 && all.equals(expected);
        resolve(isRight ? undefined : `${method} ${path}: ${response.statusCode}, ${all.length} bytes`);
      });
    });
    request.on("error", (error) => reject(new Error(`${method} ${path}: ${error.message}`)));
    request.on("timeout", () => request.destroy(new Error("no answer in 20 s")));
    request.end(upload);
  });
}
