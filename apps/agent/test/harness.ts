import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Redirect } from "@posthouse/protocol";
import { createLog, type Log, parseConfig } from "@posthouse/service";
import { type Agent, type AgentConfig, agentConfigSchema, createAgent } from "../src/index.ts";
import { type FakeManager, startFakeManager } from "./fake-manager.ts";

export const basic = (source: string, target: string, status: Redirect["status"] = "FOUND"): Redirect => ({
  type: "BASIC",
  source,
  target,
  status,
});

export interface Harness extends AsyncDisposable {
  readonly directory: string;
  readonly manager: FakeManager;
  readonly agent: Agent;
  /** Log entries so far. */
  readonly entries: Record<string, unknown>[];
  readonly sitePort: number;
  readonly adminPort: number;
  /** The configuration with these changes. */
  config(change?: ConfigChange): AgentConfig;
}

export interface ConfigChange {
  readonly managerUrl?: string;
  readonly token?: string;
  readonly adminToken?: string;
  readonly adminListen?: string;
  readonly state?: string;
  readonly hosts?: readonly { match: string[]; project: string }[];
  readonly listen?: string;
  readonly extraSite?: string;
  /** More keys of the project: compat, debug, limits. */
  readonly project?: Readonly<Record<string, unknown>>;
}

export const portOf = (address: string | undefined): number => Number(address?.split(":").at(-1));

export function collectLog(): { log: Log; entries: Record<string, unknown>[] } {
  const entries: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void entries.push(JSON.parse(line)) };
  return { log: createLog({ format: "json", level: "debug", destination }), entries };
}

export function makeConfig(managerUrl: string, directory: string, change: ConfigChange = {}): AgentConfig {
  const hosts = change.hosts ?? [{ match: ["*"], project: "shop" }];
  const sites = [{ listen: change.listen ?? "127.0.0.1:0", hosts }];
  if (change.extraSite) sites.push({ listen: change.extraSite, hosts });
  const manager = {
    url: change.managerUrl ?? managerUrl,
    namespace: "production",
    project: "shop",
    token: change.token ?? "good",
    check_every: "1s",
  };
  const config = {
    name: "test.agent",
    state: change.state ?? join(directory, "state"),
    admin: { listen: change.adminListen ?? "127.0.0.1:0", token: change.adminToken ?? "" },
    projects: { shop: { manager, ...change.project } },
    sites,
  };
  return parseConfig(JSON.stringify(config), "posthouse.yaml", agentConfigSchema, {});
}

/** A fake Manager and an agent that has its rules, both in a folder of their own. */
export async function startHarness(
  redirects: Redirect[] = [basic("/old", "/new")],
  change: ConfigChange = {},
): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-agent-"));
  const manager = await startFakeManager(redirects);
  const { log, entries } = collectLog();
  const config = (more: ConfigChange = {}): AgentConfig =>
    makeConfig(manager.url, directory, { ...change, ...more });
  const agent = createAgent(config(), { log });
  await agent.start();
  const harness: Harness = {
    directory,
    manager,
    agent,
    entries,
    config,
    get sitePort() {
      return portOf(agent.addresses.sites[0]);
    },
    get adminPort() {
      return portOf(agent.addresses.admin);
    },
    async [Symbol.asyncDispose]() {
      await agent.stop(2000);
      await manager.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await untilReady(harness);
  return harness;
}

async function untilReady({ adminPort }: Harness): Promise<void> {
  for (let round = 0; round < 200; round++) {
    if ((await fetch(`http://127.0.0.1:${adminPort}/health/ready`)).ok) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("the agent did not get its rules");
}
