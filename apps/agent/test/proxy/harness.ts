import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, parseConfig } from "@posthouse/service";
import { type Agent, type AgentConfig, agentConfigSchema, createAgent } from "../../src/index.ts";
import { portOf } from "../harness.ts";

export interface ProxyHarness extends AsyncDisposable {
  readonly agent: Agent;
  readonly port: number;
  readonly config: AgentConfig;
  metrics(): Promise<string>;
}

export interface ProxyConfig {
  readonly forward: unknown;
  readonly host?: Record<string, unknown>;
  readonly site?: Record<string, unknown>;
  readonly projects?: Record<string, unknown>;
}

/** An agent that forwards everything, with its own state directory. */
export async function startProxy({ forward, host, site, projects }: ProxyConfig): Promise<ProxyHarness> {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-proxy-"));
  const text = JSON.stringify({
    name: "proxy",
    state: directory,
    admin: { listen: "127.0.0.1:0" },
    projects: projects ?? {},
    sites: [{ listen: "127.0.0.1:0", hosts: [{ match: ["*"], forward, ...host }], ...site }],
  });
  const config = parseConfig<AgentConfig>(text, "posthouse.yaml", agentConfigSchema, {});
  const agent = createAgent(config, { log: createLog({ format: "json", level: "silent" }) });
  await agent.start();
  return {
    agent,
    config,
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
