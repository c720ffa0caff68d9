/**
 * `posthouse up`: a Manager, an agent and the demo project in one process, each started as it would be alone. What the
 * demo needs (project, redirects, the agent's token) is made through the Manager's HTTP API.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type Agent, agentConfigSchema, createAgent } from "@posthouse/agent";
import { createManager, type Manager, managerConfigSchema } from "@posthouse/manager";
import { type Log, type Part, startParts, stopParts } from "@posthouse/service";
import { commandErrors } from "../errors.ts";
import { createManagerApi, type ManagerApi } from "../manager-api.ts";
import { readTokenFile, writeTokenFile } from "../token-file.ts";
import { createAgentToken, demoNamespace, demoProject, ensureDemo } from "./demo.ts";

export interface UpOptions {
  /** Absolute path of the state directory. */
  readonly state: string;
  readonly managerPort: number;
  readonly sitePort: number;
  readonly adminPort: number;
}

export interface UpAddresses {
  readonly site: string;
  readonly manager: string;
  readonly admin: string;
  readonly project: string;
  readonly state: string;
  /** Only when this start made the administrator. */
  readonly login: { readonly username: string; readonly password: string } | undefined;
}

export interface Up extends Part {
  /** Known once started. */
  addresses(): UpAddresses;
}

const readyWithinMs = 15_000;
const agentTokenFile = "agent-token";

export function createUp(options: UpOptions, log: Log): Up {
  const running: Part[] = [];
  let addresses: UpAddresses | undefined;

  async function start(part: Part): Promise<void> {
    await startParts([part], { log });
    running.push(part);
  }

  return {
    name: "up",
    async start() {
      await makeState(options.state);
      const manager = createManager(
        managerConfigSchema.parse({
          listen: `127.0.0.1:${options.managerPort}`,
          database: { path: join(options.state, "manager.db") },
        }),
        { log: log.child({ process: "manager" }) },
      );
      await start(manager);
      try {
        const api = createManagerApi(manager.url, await operatorToken(manager, options.state));
        await ensureDemo(api);
        const agent = createAgent(agentConfig(options, manager.url, await agentToken(api, options.state)), {
          log: log.child({ process: "agent" }),
        });
        await start(agent);
        await becomesReady(agent);
        addresses = describeAddresses(options, manager, agent);
      } catch (error) {
        await stopParts(running.splice(0), 4000);
        throw error;
      }
    },
    async stop(deadlineMs) {
      await stopParts(running.splice(0), deadlineMs);
    },
    addresses() {
      if (addresses === undefined) throw new Error("not started");
      return addresses;
    },
  };
}

async function makeState(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw commandErrors.create("STATE_UNUSABLE", { path, reason }, { cause: error });
  }
}

/** The token with which this command, and `posthouse import`, talk to the Manager. */
async function operatorToken(manager: Manager, state: string): Promise<string> {
  const kept = await readTokenFile(state);
  if (kept !== undefined && (await isAccepted(manager.url, kept))) return kept;
  const token = await manager.issueToken(`up-${Date.now()}`, {
    permissions: [{ namespace: "*", project: "*", resource: "*", action: "*" }],
    admin: [{ section: "*", action: "*" }],
  });
  await writeTokenFile(state, token);
  return token;
}

async function agentToken(api: ManagerApi, state: string): Promise<string> {
  const kept = await readTokenFile(state, agentTokenFile);
  if (kept !== undefined && (await isAccepted(api.url, kept))) return kept;
  const token = await createAgentToken(api);
  await writeTokenFile(state, token, agentTokenFile);
  return token;
}

/** A token that the Manager does not know (its database was removed, say) is worth nothing. */
async function isAccepted(url: string, token: string): Promise<boolean> {
  const path = `/api/namespace/${demoNamespace}/project/${demoProject}/version`;
  const response = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(10_000),
  });
  await response.body?.cancel();
  return response.status !== 401 && response.status !== 403;
}

function agentConfig(
  options: UpOptions,
  managerUrl: string,
  token: string,
): Parameters<typeof createAgent>[0] {
  return agentConfigSchema.parse({
    name: "up",
    state: options.state,
    admin: { listen: `127.0.0.1:${options.adminPort}` },
    projects: {
      demo: { manager: { url: managerUrl, namespace: demoNamespace, project: demoProject, token } },
    },
    sites: [{ listen: `127.0.0.1:${options.sitePort}`, hosts: [{ match: ["*"], project: "demo" }] }],
  });
}

/** The addresses are printed when they answer: the first snapshot is on its way for some milliseconds. */
async function becomesReady(agent: Agent): Promise<void> {
  const end = performance.now() + readyWithinMs;
  while (performance.now() < end) {
    const response = await fetch(`http://${agent.addresses.admin}/health/ready`);
    await response.body?.cancel();
    if (response.ok) return;
    await setTimeout(20);
  }
  throw commandErrors.create("AGENT_NOT_READY", { seconds: readyWithinMs / 1000 });
}

function describeAddresses(options: UpOptions, manager: Manager, agent: Agent): UpAddresses {
  const { admin, sites } = agent.addresses;
  return {
    site: `http://${sites[0]}`,
    manager: manager.url,
    admin: `http://${admin}`,
    project: `${demoNamespace}/${demoProject}`,
    state: options.state,
    login: manager.firstLogin,
  };
}
