/**
 * The soak of the redirects job: a real agent process under constant load while its configuration is reloaded again and
 * again. Every answer is compared with what the rules say, and memory, files and threads are followed over time.
 */
import { Agent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Item } from "@posthouse/protocol";
import { type AgentPeer, startAgent } from "./peer-agent.ts";
import type { Usage } from "./peer-process.ts";
import { slopePerHour } from "./peer-trend.ts";

export interface SoakOptions {
  readonly durationMs: number;
  readonly reloadEveryMs: number;
  readonly connections?: number;
  /** Pause of each connection between two requests, so that a long soak leaves the machine usable. */
  readonly pauseMs?: number;
  progress?(text: string): void;
}

export interface SoakResult {
  readonly seconds: number;
  readonly requests: number;
  /** Answers that differed from what the rules say, and requests without any. */
  readonly wrong: number;
  /** The first few of them, in words. */
  readonly examples: readonly string[];
  /** Reloads whose effect was seen, and those whose effect was not seen in time. */
  readonly reloads: number;
  readonly reloadsUnseen: number;
  readonly exitCode: number;
  readonly memory: Trend;
  readonly files: Trend;
  readonly threads: Trend;
}

/** How a figure went after the first third, which is warm-up. */
export interface Trend {
  readonly first: number;
  readonly last: number;
  readonly perHour: number;
}

interface Expectation {
  readonly method: "GET" | "HEAD" | "POST";
  readonly host: string;
  readonly path: string;
  readonly status: number;
  readonly location?: string;
  readonly body?: string;
}

const ruleCount = 5000;
const sampleEveryMs = 500;
const reloadDeadlineMs = 10_000;
const examplesKept = 10;
/** Served after every other reload only, and asked for by nobody but the one who checks reloads. */
const toggledHost = "toggled.example";
const steadyHosts = ["shop.example", "*.shop.example"];

/** Runs it. Throws only when the agent cannot be started; what it found is in the result. */
export async function soakRedirects(options: SoakOptions): Promise<SoakResult> {
  const { durationMs, connections = 16 } = options;
  const agent = await startAgent({ items: soakItems(), hosts: steadyHosts });
  const startedAt = performance.now();
  const run = createRun(agent, startedAt + durationMs);
  const samples: Sample[] = [];
  const pool = new Agent({ keepAlive: true, maxSockets: connections + 1 });
  let exitCode = -1;
  try {
    await Promise.all([
      ...Array.from({ length: connections }, (_, index) =>
        loadUntilEnd(run, pool, index, options.pauseMs ?? 0),
      ),
      reloadUntilEnd(run, pool, options),
      sampleUntilEnd(run, samples),
    ]);
  } finally {
    pool.destroy();
    exitCode = await agent.stop();
  }
  const { requests, wrong, examples, reloads, reloadsUnseen } = run;
  const settled = samples.slice(Math.floor(samples.length / 3));
  return {
    seconds: (performance.now() - startedAt) / 1000,
    requests,
    wrong,
    examples,
    reloads,
    reloadsUnseen,
    exitCode,
    memory: trend(settled, ({ rssBytes }) => rssBytes),
    files: trend(settled, ({ files }) => files),
    threads: trend(settled, ({ threads }) => threads),
  };
}

/** What is not as it must be, in words; empty when all is well. Growth is judged between the thirds, not by the slope. */
export function soakProblems(result: SoakResult): string[] {
  const problems: string[] = [];
  if (result.requests === 0) problems.push("nothing was asked");
  if (result.wrong > 0) problems.push(`${result.wrong} wrong answers, such as ${result.examples[0]}`);
  if (result.reloads === 0) problems.push("no reload took effect");
  if (result.reloadsUnseen > 0) problems.push(`${result.reloadsUnseen} reloads without effect`);
  if (result.exitCode !== 0) problems.push(`the agent ended with ${result.exitCode}`);
  const { memory, files, threads } = result;
  if (memory.last > memory.first * 1.25 + 32 * 2 ** 20) problems.push("memory grows");
  if (files.last > files.first + 8) problems.push("open files grow");
  if (threads.last > threads.first + 2) problems.push("threads grow");
  return problems;
}

interface Sample extends Usage {
  readonly atMs: number;
}

interface Run {
  readonly agent: AgentPeer;
  readonly endsAt: number;
  requests: number;
  wrong: number;
  readonly examples: string[];
  reloads: number;
  reloadsUnseen: number;
}

function createRun(agent: AgentPeer, endsAt: number): Run {
  return { agent, endsAt, requests: 0, wrong: 0, examples: [], reloads: 0, reloadsUnseen: 0 };
}

const isOver = ({ endsAt }: Run): boolean => performance.now() >= endsAt;

function soakItems(): Item[] {
  const redirects = Array.from({ length: ruleCount }, (_, index): Item => {
    const id = index + 1;
    const target = `https://new.example/${index}`;
    return index % 2 === 0
      ? {
          id,
          kind: "redirect",
          type: "BASIC",
          source: `/old/${index}?a=1`,
          target,
          status: "MOVED_PERMANENT",
        }
      : {
          id,
          kind: "redirect",
          type: "BASIC_HOST",
          source: `shop.example/old/${index}`,
          target,
          status: "FOUND",
        };
  });
  return [
    ...redirects,
    {
      id: ruleCount + 1,
      kind: "redirect",
      type: "REGEX",
      source: "^/product/([0-9]+)$",
      target: "/item/$1",
      status: "PERMANENT_REDIRECT",
    },
    {
      id: ruleCount + 2,
      kind: "page",
      type: "BASIC",
      path: "/robots.txt",
      content: "User-agent: *\n",
      contentType: "TEXT_PLAIN",
    },
  ];
}

/** The request of a number, and what the rules say to it. All kinds come in turn. */
function expectation(number: number): Expectation {
  const even = ((number * 7919) % (ruleCount / 2)) * 2;
  const odd = even + 1;
  const host = "shop.example";
  const kinds: readonly Expectation[] = [
    { method: "GET", host, path: `/old/${even}?a=1`, status: 301, location: `https://new.example/${even}` },
    { method: "GET", host, path: `/old/${odd}`, status: 302, location: `https://new.example/${odd}` },
    {
      method: "HEAD",
      host,
      path: `/old/${odd}`,
      status: 302,
      location: `https://new.example/${odd}`,
      body: "",
    },
    {
      method: "GET",
      host: "m.shop.example:8000",
      path: `/product/${number}`,
      status: 308,
      location: `/item/${number}`,
    },
    { method: "GET", host, path: "/robots.txt", status: 200, body: "User-agent: *\n" },
    {
      method: "POST",
      host,
      path: `/old/${even}?a=1`,
      status: 301,
      location: `https://new.example/${even}`,
      body: "",
    },
    { method: "GET", host, path: `/missing/${number}`, status: 404 },
    { method: "GET", host: "m.shop.example", path: `/old/${odd}`, status: 404 },
    { method: "GET", host: "other.example", path: "/robots.txt", status: 404 },
    { method: "GET", host: "two hosts", path: "/robots.txt", status: 400 },
  ];
  return kinds[number % kinds.length] as Expectation;
}

async function loadUntilEnd(run: Run, pool: Agent, lane: number, pauseMs: number): Promise<void> {
  for (let number = lane; !isOver(run); number += 17) {
    const expected = expectation(number);
    const found = await ask(run.agent.port, pool, expected).catch((error: unknown) => String(error));
    run.requests += 1;
    if (found !== undefined) {
      run.wrong += 1;
      const { method, host, path } = expected;
      if (run.examples.length < examplesKept) run.examples.push(`${method} ${host}${path}: ${found}`);
    }
    if (pauseMs > 0) await sleep(pauseMs);
  }
}

async function reloadUntilEnd(run: Run, pool: Agent, options: SoakOptions): Promise<void> {
  let toggled = false;
  for (;;) {
    await sleep(Math.min(options.reloadEveryMs, Math.max(0, run.endsAt - performance.now())));
    if (isOver(run)) return;
    toggled = !toggled;
    await run.agent.writeConfig(toggled ? [...steadyHosts, toggledHost] : steadyHosts);
    run.agent.signal("SIGHUP");
    const probe: Expectation = {
      method: "GET",
      host: toggledHost,
      path: "/robots.txt",
      status: toggled ? 200 : 404,
    };
    if (await holdsSoon(() => ask(run.agent.port, pool, probe))) run.reloads += 1;
    else run.reloadsUnseen += 1;
    options.progress?.(`${run.requests} requests, ${run.wrong} wrong, ${run.reloads} reloads`);
  }
}

async function holdsSoon(check: () => Promise<string | undefined>): Promise<boolean> {
  const endsAt = performance.now() + reloadDeadlineMs;
  while (performance.now() < endsAt) {
    if ((await check().catch(String)) === undefined) return true;
    await sleep(50);
  }
  return false;
}

async function sampleUntilEnd(run: Run, samples: Sample[]): Promise<void> {
  while (!isOver(run)) {
    const usage = await run.agent.usage().catch(() => undefined);
    if (usage === undefined) return;
    samples.push({ ...usage, atMs: performance.now() });
    await sleep(sampleEveryMs);
  }
}

function trend(samples: readonly Sample[], read: (sample: Sample) => number): Trend {
  const points = samples.map((sample): [number, number] => [sample.atMs, read(sample)]);
  return { first: points[0]?.[1] ?? 0, last: points.at(-1)?.[1] ?? 0, perHour: slopePerHour(points) };
}

/** Undefined when the answer is as expected, else what it was. */
function ask(port: number, pool: Agent, expected: Expectation): Promise<string | undefined> {
  const { method, host, path } = expected;
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1",
      port,
      method,
      path,
      headers: { host },
      agent: pool,
      timeout: 10_000,
    };
    const request = httpRequest(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject).on("end", () => {
        const { statusCode } = response;
        const { location } = response.headers;
        const right =
          statusCode === expected.status &&
          location === expected.location &&
          (expected.body === undefined || body === expected.body);
        resolve(right ? undefined : `${statusCode} ${location ?? ""} ${JSON.stringify(body)}`);
      });
    });
    request.on("error", reject).on("timeout", () => request.destroy(new Error("no answer in 10 s")));
    request.end();
  });
}
