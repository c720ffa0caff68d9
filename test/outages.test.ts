/**
 * Every outage, at a cold start (no copy on disk) and at a warm one: real processes, a proxy in between that does wrong.
 * Serving goes on, what the agent says of itself is true, and when the outage is over it catches up by itself.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, gzipSync } from "node:zlib";
import { type AgentProcess, startAgentProcess } from "@posthouse/testkit/agent-process";
import { type FaultProxy, type ProxyFault, startFaultProxy } from "@posthouse/testkit/fault-proxy";
import { type ManagerProcess, startManagerProcess } from "@posthouse/testkit/manager-process";
import { mountSmallDisk, type SmallDisk } from "@posthouse/testkit/small-disk";
import { until } from "@posthouse/testkit/until";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { snapshotPath } from "../apps/agent/src/replica/state-directory.ts";

type Start = "cold" | "warm";
const starts = ["cold", "warm"] as const;

/** What is true while the outage lasts. */
interface During {
  readonly answer: string;
  readonly version: number;
  /** Failures that `/status` names, as `operation CODE`. */
  readonly failing: readonly string[];
  /** Whether the Manager confirms what is served all the same. */
  readonly fresh: boolean;
}

interface Outage {
  readonly name: string;
  /** Whether it is there before the agent starts, or comes once the agent is in step. */
  readonly begins: "before" | "after";
  begin(cell: Cell): Promise<void>;
  end(cell: Cell): Promise<void>;
  /** Whether the change to `/two` is published while it lasts (default), or before. */
  readonly publishes?: boolean;
  during(start: Start): During;
  /** Printed while it lasts. */
  readonly log?: RegExp;
  readonly needsDisk?: boolean;
}

interface Cell {
  readonly start: Start;
  readonly project: string;
  readonly folder: string;
  readonly proxy: FaultProxy;
  /** The Manager that the agent's requests reach in the end. */
  manager: ManagerProcess;
  token: string;
  readonly state: string;
  readonly disk: SmallDisk | undefined;
  agent: AgentProcess | undefined;
  readonly leaving: AsyncDisposable[];
}

const nothing = "503 no rules yet";
const old = "302 /one";
const fresh = "302 /two";

const unserved = (code: string, start: Start): During =>
  start === "cold"
    ? { answer: nothing, version: 0, failing: [`check ${code}`], fresh: false }
    : { answer: old, version: 2, failing: [`check ${code}`], fresh: false };

const proxied = (
  name: string,
  fault: ProxyFault,
  code: string,
  begins: Outage["begins"] = "before",
): Outage => ({
  name,
  begins,
  begin: ({ proxy }) => proxy.set(fault),
  end: ({ proxy }) => proxy.set("none"),
  during: (start) => unserved(code, begins === "before" ? start : "warm"),
});

const outages: readonly Outage[] = [
  proxied("a Manager that was never up", "down", "MANAGER_UNREACHABLE"),
  proxied("a Manager that dies later", "down", "MANAGER_UNREACHABLE", "after"),
  {
    name: "a wrong token",
    begins: "before",
    async begin(cell) {
      cell.token = "flecto_of-somebody-else";
    },
    end: renewToken,
    during: (start) => unserved("MANAGER_REFUSED_TOKEN", start),
    log: /"code":"MANAGER_REFUSED_TOKEN".*"retryInMs":[56]\d{4}/,
  },
  {
    name: "a token that is taken back",
    begins: "after",
    async begin({ manager, project }) {
      const { items } = await manager.api<{ items: { id: number; name: string }[] }>("GET", "/tokens");
      const token = items.find(({ name }) => name === project);
      await manager.api("DELETE", `/tokens/${token?.id}`);
    },
    end: renewToken,
    during: () => unserved("MANAGER_REFUSED_TOKEN", "warm"),
  },
  proxied("rules that are cut", "truncated", "MANAGER_ANSWER_CUT"),
  proxied("rules that do not have their hash", "altered", "SNAPSHOT_HASH_MISMATCH"),
  proxied("a web page with status 200", "html", "MANAGER_ANSWER_UNUSABLE"),
  proxied("a Manager that hangs", "hangs", "MANAGER_TIMEOUT"),
  proxied("a Manager that refuses", "refuses", "MANAGER_FAILED"),
  {
    name: "a Manager restored at an older version",
    begins: "after",
    publishes: false,
    begin: restoreOlder,
    end: (cell) => publish(cell, "/two"),
    during: () => ({ answer: old, version: 2, failing: [], fresh: true }),
    log: /"version":2,"loadedVersion":3.*went back to an older version/,
  },
  {
    name: "a damaged copy on disk",
    begins: "before",
    async begin(cell) {
      if (cell.start === "cold") await cell.proxy.set("down");
      await saveCopy(cell);
      const bytes = await readFile(copyOf(cell));
      await truncate(copyOf(cell), bytes.length >> 1);
    },
    end: ({ proxy }) => proxy.set("none"),
    // Without its Manager it cannot start from such a copy; with it, the copy is not missed.
    during: (start) =>
      start === "cold"
        ? {
            ...unserved("MANAGER_UNREACHABLE", start),
            failing: ["read STORE_READ_FAILED", "check MANAGER_UNREACHABLE"],
          }
        : { answer: fresh, version: 3, failing: [], fresh: true },
    log: /"code":"STORE_READ_FAILED"/,
  },
  {
    name: "a full disk",
    begins: "before",
    needsDisk: true,
    begin: ({ disk, start }) => disk?.fill({ files: start === "cold" }) ?? Promise.resolve(),
    end: ({ disk }) => disk?.free() ?? Promise.resolve(),
    during: () => ({ answer: fresh, version: 3, failing: ["save STORE_WRITE_FAILED"], fresh: true }),
    log: /ENOSPC/,
  },
];

let folder: string;
let manager: ManagerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "posthouse-outages-"));
  manager = await startManagerProcess({ folder: join(folder, "manager") });
  await manager.api("POST", "/namespaces", { code: "n", name: "N" });
}, 60_000);

afterAll(async () => {
  await manager?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

for (const start of starts) {
  describe.concurrent(`an agent at a ${start} start`, () => {
    for (const [index, outage] of outages.entries()) {
      it(`survives ${outage.name}`, { timeout: 180_000 }, async ({ skip }) => {
        const cell = await makeCell(start, `${start}-${index}`, outage.needsDisk === true);
        try {
          if ("missing" in cell) {
            console.warn(`NOT TESTED: ${cell.missing}`);
            return skip(cell.missing);
          }
          await survive(cell, outage);
        } catch (error) {
          if ("agent" in cell && cell.agent) console.error(cell.agent.process.output());
          throw error;
        } finally {
          if ("leaving" in cell) for (const part of cell.leaving.reverse()) await part[Symbol.asyncDispose]();
        }
      });
    }
  });
}

async function survive(cell: Cell, outage: Outage): Promise<void> {
  const { start } = cell;
  const during = outage.during(start);
  await publish(cell, "/one");
  if (start === "warm") await saveCopy(cell);
  if (outage.publishes === false) {
    await backUp(cell);
    await publish(cell, "/two");
    if (start === "warm") await saveCopy(cell);
  }

  let begunAt = Date.now();
  const begin = async (): Promise<void> => {
    begunAt = Date.now();
    await outage.begin(cell);
    if (outage.publishes !== false) await publish(cell, "/two");
  };
  if (outage.begins === "before") await begin();
  const agent = await startAgent(cell);
  if (outage.begins === "after") {
    await until(
      "the agent is in step",
      async () => (await agent.status()).projects.shop.checkedAt !== undefined,
    );
    await begin();
  }

  await until(`${during.failing.join()} is told`, () => tells(agent, during), 40_000);
  const watch = watchAnswers(agent);
  await expectTruth(agent, during, begunAt);
  if (outage.log) await agent.process.printed(outage.log);
  expect(await watch.stop()).toEqual([during.answer]);

  const after = watchAnswers(agent);
  await outage.end(cell);
  // A refused token is tried once a minute; a new one at once.
  const withinMs = outage.end === renewToken ? 20_000 : 40_000;
  await until("it has caught up", async () => (await agent.ask("/page")) === fresh, withinMs);
  await expectCaughtUp(cell, agent);
  for (const answer of await after.stop()) expect([during.answer, fresh]).toContain(answer);
  if (during.failing.length > 0) {
    // After a reload another replica is in step, which never was out of it.
    await agent.process.printed(outage.end === renewToken ? /"version":3.*rules loaded/ : /in step again/);
    const told = agent.process
      .output()
      .split("\n")
      .filter((line) => line.includes("is not in step"));
    expect(told.length, told.join("\n")).toBeLessThanOrEqual(new Set(told.map(codeIn)).size);
  }
  agent.process.signal("SIGTERM");
  expect(await agent.process.exited).toBe(0);
}

const codeIn = (line: string): string | undefined => /"code":"(\w+)"/.exec(line)?.[1];

async function tells(agent: AgentProcess, { version, failing, answer }: During): Promise<boolean> {
  const { shop } = (await agent.status()).projects;
  const codes = failuresOf(shop);
  const isTold = failing.length === 0 ? codes.length === 0 : failing.every((code) => codes.includes(code));
  return isTold && shop.version === version && (await agent.ask("/page")) === answer;
}

const failuresOf = (project: { failures: { operation: string; code: string }[] }): string[] =>
  project.failures.map(({ operation, code }) => `${operation} ${code}`);

/** What `/status`, `/metrics` and `/health` say while the outage lasts. */
async function expectTruth(agent: AgentProcess, during: During, begunAt: number): Promise<void> {
  const { shop } = (await agent.status()).projects;
  if (during.failing.length === 0) expect(failuresOf(shop)).toEqual([]);
  for (const failure of during.failing) {
    const [operation, code] = failure.split(" ");
    const found = shop.failures.find((each: { operation: string }) => each.operation === operation);
    expect(found).toMatchObject({ code });
    const [since, at] = [Date.parse(found.since), Date.parse(found.at)];
    expect(since).toBeGreaterThanOrEqual(begunAt);
    expect(at).toBeGreaterThanOrEqual(since);
    expect(at).toBeLessThanOrEqual(Date.now());
    const series = `posthouse_replica_failing_since_seconds{project="shop",operation="${operation}",code="${code}"}`;
    expect(await agent.metric(series)).toBeCloseTo(since / 1000, -1);
  }
  expect(shop.lastError?.code).toBe(shop.failures.at(-1)?.code);
  const metric = (name: string): Promise<number | undefined> =>
    agent.metric(`posthouse_replica_${name}{project="shop"}`);
  expect(await metric("version")).toBe(during.version);
  expect(await metric("failing")).toBe(during.failing.length > 0 ? 1 : 0);
  expect(await agent.health("live")).toBe(200);
  expect(await agent.health("ready")).toBe(during.version === 0 ? 503 : 200);
  if (during.fresh) {
    await until("it is fresh", async () => (await agent.health("fresh?max=30s")) === 200);
  } else {
    await until("it is stale", async () => (await agent.health("fresh?max=1s")) === 503);
    await until("its age grows", async () => ((await metric("age_seconds")) ?? 0) > 1.5);
  }
}

async function expectCaughtUp(cell: Cell, agent: AgentProcess): Promise<void> {
  await until(
    "nothing fails",
    async () => failuresOf((await agent.status()).projects.shop).length === 0,
    60_000,
  );
  const { shop } = (await agent.status()).projects;
  expect(shop).toMatchObject({ version: 3, loadedFrom: "manager" });
  expect(await agent.metric('posthouse_replica_version{project="shop"}')).toBe(3);
  expect(await agent.metric('posthouse_replica_failing{project="shop"}')).toBe(0);
  expect([await agent.health("ready"), await agent.health("fresh?max=30s")]).toEqual([200, 200]);
  await until("the copy on disk is the new one", async () => (await savedVersion(cell)) === 3, 40_000);
  await until("the Manager knows it", async () => {
    const { items } = await cell.manager.api<{ items: unknown[] }>(
      "GET",
      `/namespaces/n/projects/${cell.project}/agents`,
    );
    return JSON.stringify(items).includes('"status":"success","version":3');
  });
}

/** Asks for the page again and again; `stop` gives the different answers in the order they first came. */
function watchAnswers(agent: AgentProcess): { stop(): Promise<string[]> } {
  const seen = new Set<string>();
  let isOver = false;
  const asking = (async () => {
    while (!isOver) {
      seen.add(await agent.ask("/page").catch(String));
      await sleep(20);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await asking;
      return [...seen];
    },
  };
}

async function makeCell(
  start: Start,
  project: string,
  needsDisk: boolean,
): Promise<Cell | { readonly missing: string }> {
  const leaving: AsyncDisposable[] = [];
  const own = join(folder, project);
  const state = join(own, "state");
  let disk: SmallDisk | undefined;
  if (needsDisk) {
    const mounted = await mountSmallDisk(state);
    if ("missing" in mounted) return mounted;
    disk = mounted;
    leaving.push(disk);
  }
  const proxy = await startFaultProxy(manager.url);
  leaving.push(proxy);
  await manager.api("POST", "/namespaces/n/projects", { code: project, name: project });
  const cell: Cell = {
    start,
    project,
    folder: own,
    proxy,
    manager,
    token: "",
    state,
    disk,
    agent: undefined,
    leaving,
  };
  cell.token = await makeToken(cell, project);
  return cell;
}

async function makeToken({ manager: { api }, project }: Cell, name: string): Promise<string> {
  const permission = (resource: string, action: string) => ({ namespace: "n", project, resource, action });
  const permissions = [
    permission("redirect", "read"),
    permission("page", "read"),
    permission("agent", "write"),
  ];
  return (await api<{ token: string }>("POST", "/tokens", { name, permissions, admin: [] })).token;
}

async function renewToken(cell: Cell): Promise<void> {
  cell.token = await makeToken(cell, `${cell.project}-new`);
  await cell.agent?.reload(agentConfig(cell));
}

const published = new Set<string>();

/** Publishes the next version, in which `/page` leads to this target. */
async function publish({ manager: { api }, project }: Cell, target: string): Promise<void> {
  const path = `/namespaces/n/projects/${project}`;
  const redirect = { type: "BASIC", source: "/page", target, status: "FOUND" };
  if (published.has(project)) await api("PUT", `${path}/redirects/1`, redirect);
  else await api("POST", `${path}/redirects`, redirect);
  published.add(project);
  await api("POST", `${path}/publish`);
}

async function backUp(cell: Cell): Promise<void> {
  await mkdir(cell.folder, { recursive: true });
  const database = new DatabaseSync(manager.databasePath, { readOnly: true, timeout: 5000 });
  database.prepare("vacuum into ?").run(backupOf(cell));
  database.close();
}

/** The Manager goes on with a copy of its database from before `/two` was published. */
async function restoreOlder(cell: Cell): Promise<void> {
  const restored = join(cell.folder, "restored");
  await mkdir(restored, { recursive: true });
  await copyFile(backupOf(cell), join(restored, "manager.db"));
  cell.manager = await startManagerProcess({ folder: restored, session: manager.session });
  cell.leaving.push(cell.manager);
  cell.proxy.origin = cell.manager.url;
  await cell.proxy.set("down");
  await cell.proxy.set("none");
}

const backupOf = ({ folder: own }: Cell): string => join(own, "backup.db");

function agentConfig({ project, proxy, token, state }: Cell): Record<string, unknown> {
  const source = { url: proxy.url, namespace: "n", project, token, check_every: "1s" };
  return { name: "a1", state, projects: { shop: { manager: source } } };
}

async function startAgent(cell: Cell): Promise<AgentProcess> {
  const agent = await startAgentProcess({ folder: cell.folder, config: agentConfig(cell), project: "shop" });
  cell.agent = agent;
  cell.leaving.push(agent);
  return agent;
}

const copyOf = ({ state, proxy, project }: Cell): string =>
  snapshotPath(state, { url: proxy.url, namespace: "n", project });

/** Puts what the Manager publishes at the moment where the agent keeps its copy: the file is the same everywhere. */
async function saveCopy(cell: Cell): Promise<void> {
  const answer = await fetch(`${cell.manager.url}/api/namespace/n/project/${cell.project}/snapshot`, {
    headers: { authorization: `Bearer ${manager.session}`, "accept-encoding": "gzip" },
  });
  await mkdir(dirname(copyOf(cell)), { recursive: true });
  // fetch has unpacked it; an agent reads what is packed.
  await writeFile(copyOf(cell), gzipSync(await answer.text()));
}

async function savedVersion(cell: Cell): Promise<number | undefined> {
  try {
    const [header = ""] = gunzipSync(await readFile(copyOf(cell)))
      .toString()
      .split("\n");
    return (JSON.parse(header) as { version: number }).version;
  } catch {
    return undefined;
  }
}
