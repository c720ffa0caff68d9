import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseConfig } from "@posthouse/service";
import { type Agent, type AgentConfig, agentConfigSchema, createAgent } from "../../src/index.ts";
import { collectLog, portOf } from "../harness.ts";

export interface ProxyHarness extends AsyncDisposable {
  readonly agent: Agent;
  readonly port: number;
  readonly config: AgentConfig;
  /** Log entries so far. */
  readonly entries: readonly Record<string, unknown>[];
  metrics(): Promise<string>;
}

export interface ProxyConfig {
  readonly forward: unknown;
  readonly host?: Record<string, unknown>;
  readonly site?: Record<string, unknown>;
  readonly projects?: Record<string, unknown>;
  readonly drain?: Record<string, unknown>;
}

/** An agent that forwards everything, with its own state directory. */
export async function startProxy({
  forward,
  host,
  site,
  projects,
  drain,
}: ProxyConfig): Promise<ProxyHarness> {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-proxy-"));
  const text = JSON.stringify({
    name: "proxy",
    state: directory,
    admin: { listen: "127.0.0.1:0" },
    drain: drain ?? {},
    projects: projects ?? {},
    sites: [{ listen: "127.0.0.1:0", hosts: [{ match: ["*"], forward, ...host }], ...site }],
  });
  const config = parseConfig<AgentConfig>(text, "posthouse.yaml", agentConfigSchema, {});
  const { log, entries } = collectLog();
  const agent = createAgent(config, { log });
  await agent.start();
  return {
    agent,
    config,
    entries,
    port: portOf(agent.addresses.sites[0]),
    async metrics() {
      return (await fetch(`http://${agent.addresses.admin}/metrics`)).text();
    },
    async [Symbol.asyncDispose]() {
      await agent.stop(500);
      await rm(directory, { recursive: true, force: true });
    },
  };
}
