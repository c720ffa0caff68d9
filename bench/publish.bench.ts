/**
 * From published to served: a real Manager and a real agent that hears of versions by push, at the size of a whole
 * government, while requests and version polls go on. Every answer must be what is published, or was just before.
 * There is no peer: the figure beside ours is the limit, so a ratio above 1 is beyond it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Redirect } from "@posthouse/protocol";
import { startAgentProcess } from "@posthouse/testkit/agent-process";
import { type ManagerProcess, startManagerProcess } from "@posthouse/testkit/manager-process";
import type { Bench, BenchCase, BenchContext } from "./bench.ts";
import { createRandom, generateRedirects, readRedirects } from "./data.ts";
import { type Asker, createAsker, type Watch, watch } from "./publish-watch.ts";
import { median } from "./rounds.ts";

const changeSizes = [1, 10, 100];
const changeLimitMs = 1_000;
const wholeLimitMs = 4_000;
const pollLimitMs = 100;
const publishesPerRound = 4;
const restMs = 5_000;
const project = "/namespaces/n/projects/p";

/** A redirect with the target that is published, and the one before. */
interface Rule extends Redirect {
  target: string;
  before: string;
}

export const bench: Bench = {
  description: "from published to served by push, under load; the figure beside ours is the limit",
  async *run(context) {
    const all = context.data === undefined ? generateRedirects() : await readRedirects(context.data);
    // What the Manager would refuse, or an agent answers otherwise than with the target as it is, is left out.
    const rules = all
      .filter(({ type, target }) => type === "BASIC_HOST" && /^https?:\/\/[!-"$-~]+$/.test(target))
      .map((rule): Rule => ({ ...rule, before: rule.target }));
    context.progress(`${rules.length} redirects`);
    const folder = await mkdtemp(join(tmpdir(), "posthouse-bench-"));
    try {
      await using manager = await startManagerProcess({ folder: join(folder, "manager") });
      yield* measure(context, manager, rules, folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

async function* measure(
  context: BenchContext,
  manager: ManagerProcess,
  rules: Rule[],
  folder: string,
): AsyncGenerator<BenchCase> {
  await manager.api("POST", "/namespaces", { code: "n", name: "N" });
  await manager.api("POST", "/namespaces/n/projects", { code: "p", name: "P" });
  const right = (resource: string, action: string) => ({ namespace: "n", project: "p", resource, action });
  const permissions = [right("redirect", "read"), right("page", "read"), right("agent", "write")];
  const { token } = await manager.api<{ token: string }>("POST", "/tokens", {
    name: "a",
    permissions,
    admin: [],
  });
  const source = { url: manager.url, namespace: "n", project: "p", token };
  await using agent = await startAgentProcess({
    folder,
    project: "p",
    config: {
      name: "a1",
      state: join(folder, "state"),
      log: { level: "info" },
      projects: { p: { manager: source } },
    },
  });

  const site = createAsker(agent.site, 8);
  const api = createAsker(manager.url, 2);
  const random = createRandom(11);
  const any = (): Rule => rules[Math.floor(random() * rules.length)] as Rule;
  let isServed = false;
  const requests = watch(4, 4, async () => {
    const rule = any();
    if (!isServed) return undefined;
    const allowed = [rule.before, rule.target];
    const { status, location } = await askFor(site, rule);
    return status === 301 && (allowed.includes(location) || location === rule.target)
      ? undefined
      : `${rule.source}: ${status} ${location}, expected ${rule.target}`;
  });
  const polls = watch(1, 20, async () => {
    const path = "/api/namespace/n/project/p/version";
    const { status } = await api.ask(path, { authorization: `Bearer ${token}` });
    return status === 200 ? undefined : `version: ${status}`;
  });

  const bench: Run = { context, manager, rules, site, requests, polls, any };
  try {
    // What the machine alone does to such a figure, to read the others by.
    await sleep(restMs);
    yield limited("at rest", "longest version poll, ms", polls.take().longestMs, pollLimitMs);
    const first = await publishWhole(bench, 0);
    isServed = true;
    yield limited("first publish of all", "published to served, ms", first.servedMs, wholeLimitMs);
    yield limited("first publish of all", "longest version poll, ms", first.pollMs, pollLimitMs);
    yield limited("import of all", "longest version poll, ms", first.importPollMs, pollLimitMs);

    for (const size of changeSizes) {
      const name = size === 1 ? "1 change" : `${size} changes`;
      const figures = await repeat(bench, name, () => publishChanges(bench, size));
      yield* summary(name, figures, changeLimitMs);
    }
    const figures = await repeat(bench, "all changed", (round) => publishWhole(bench, round + 1));
    yield* summary("all changed", figures, wholeLimitMs);
    const imports = figures.map(({ importPollMs }) => importPollMs);
    yield limited("import over all", "longest version poll, ms", Math.max(...imports), pollLimitMs);
    const wrong = [...(await requests.stop()), ...(await polls.stop())];
    if (wrong.length > 0) throw new Error(`wrong answers under load:\n${wrong.join("\n")}`);
  } finally {
    await Promise.all([requests.stop(), polls.stop()]);
    site.close();
    api.close();
  }
}

interface Run {
  readonly context: BenchContext;
  readonly manager: ManagerProcess;
  readonly rules: readonly Rule[];
  readonly site: Asker;
  readonly requests: Watch;
  readonly polls: Watch;
  readonly any: () => Rule;
}

interface Figures {
  /** From the answer to the publish request until the agent serves the change. */
  readonly servedMs: number;
  /** From the publish request on. */
  readonly requestedMs: number;
  readonly pollMs: number;
  readonly requestMs: number;
}

async function repeat<F extends Figures>(
  { context }: Run,
  name: string,
  once: (round: number) => Promise<F>,
): Promise<F[]> {
  const figures: F[] = [];
  for (let round = 0; round < context.rounds * publishesPerRound; round++) {
    const found = await once(round);
    figures.push(found);
    const [served, requested, poll, request] = [
      found.servedMs,
      found.requestedMs,
      found.pollMs,
      found.requestMs,
    ].map(Math.round);
    context.progress(
      `${name} ${round + 1}: served ${served} ms after the answer, ${requested} ms after the request; ` +
        `longest poll ${poll} ms, longest request ${request} ms`,
    );
  }
  return figures;
}

function* summary(name: string, figures: readonly Figures[], limitMs: number): Generator<BenchCase> {
  const all = (read: (each: Figures) => number): number[] => figures.map(read);
  yield limited(name, "published to served, median ms", median(all(({ servedMs }) => servedMs)), limitMs);
  yield limited(
    name,
    "published to served, longest ms",
    Math.max(...all(({ servedMs }) => servedMs)),
    limitMs,
  );
  yield limited(
    name,
    "publish request to served, median ms",
    median(all(({ requestedMs }) => requestedMs)),
    limitMs,
  );
  yield limited(name, "longest version poll, ms", Math.max(...all(({ pollMs }) => pollMs)), pollLimitMs);
  yield limited(name, "longest request, ms", Math.max(...all(({ requestMs }) => requestMs)), pollLimitMs);
}

const limited = (name: string, metric: string, ours: number, limit: number): BenchCase => ({
  case: name,
  metric,
  ours,
  peer: limit,
  ratio: ours / limit,
});

/** Gives some redirects other targets, one request each, and publishes. */
async function publishChanges(run: Run, size: number): Promise<Figures> {
  const changed = new Set<Rule>();
  while (changed.size < size) changed.add(run.any());
  const ids = new Map(run.rules.map((rule, index) => [rule, index + 1]));
  for (const rule of changed) {
    const { type, source, status } = rule;
    const target = nextTarget(rule);
    await run.manager.api("PUT", `${project}/redirects/${ids.get(rule)}`, { type, source, target, status });
  }
  return publish(run, [...changed]);
}

/** Imports all redirects with other targets, and publishes. */
async function publishWhole(run: Run, round: number): Promise<Figures & { readonly importPollMs: number }> {
  const { manager, rules, context } = run;
  const target = (rule: Rule): string => (round === 0 ? rule.target : nextTarget(rule));
  let text = "type\tsource\ttarget\tstatus\n";
  for (const rule of rules) text += `${rule.type}\t${rule.source}\t${target(rule)}\t${rule.status}\n`;
  const body = await promisify(gzip)(text, { level: 1 });
  run.polls.take();
  const begun = performance.now();
  const answer = await fetch(`${manager.url}/api/v1${project}/import?overwrite=true`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${manager.session}`,
      "content-type": "text/tab-separated-values",
      "content-encoding": "gzip",
    },
    body,
  });
  const result = (await answer.json()) as { importedCount: number };
  if (result.importedCount !== rules.length)
    throw new Error(`import: ${JSON.stringify(result).slice(0, 500)}`);
  const importPollMs = run.polls.take().longestMs;
  context.progress(
    `imported in ${Math.round(performance.now() - begun)} ms; longest poll meanwhile ${Math.round(importPollMs)} ms`,
  );
  return { ...(await publish(run, rules, round === 0)), importPollMs };
}

const nextTarget = ({ target }: Rule): string => {
  const [plain = "", count = "0"] = target.split("#");
  return `${plain}#${Number(count) + 1}`;
};

async function publish(run: Run, changed: readonly Rule[], isFirst = false): Promise<Figures> {
  const { manager, site, requests, polls } = run;
  if (!isFirst) {
    for (const rule of changed) {
      rule.before = rule.target;
      rule.target = nextTarget(rule);
    }
  }
  requests.take();
  polls.take();
  const probe = changed.at(-1) as Rule;
  const requestedAt = performance.now();
  const published = manager.api("POST", `${project}/publish`).then(() => performance.now());
  let publishedAt: number | undefined;
  published.then(
    (at) => {
      publishedAt = at;
    },
    () => {},
  );
  for (;;) {
    const { location } = await askFor(site, probe);
    if (location === probe.target) break;
    if (performance.now() - requestedAt > 60_000) throw new Error("not served within a minute");
    await sleep(publishedAt === undefined ? 5 : 2);
  }
  const servedAt = performance.now();
  const answeredAt = await published;
  const figures = {
    servedMs: Math.max(0, servedAt - answeredAt),
    requestedMs: servedAt - requestedAt,
    pollMs: polls.take().longestMs,
    requestMs: requests.take().longestMs,
  };
  // Requests that are under way may still get the answer before; then nobody may.
  await sleep(50);
  for (const rule of changed) rule.before = rule.target;
  return figures;
}

function askFor(site: Asker, { source }: Rule): ReturnType<Asker["ask"]> {
  const slash = source.indexOf("/");
  return site.ask(source.slice(slash), { host: source.slice(0, slash) });
}
