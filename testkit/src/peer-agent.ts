import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Item } from "@posthouse/protocol";
import { snapshotPath } from "../../apps/agent/src/replica/state-directory.ts";
import { type PeerProcess, startPeer } from "./peer-process.ts";
import { writeSnapshot } from "./peer-snapshot.ts";
import { freePort } from "./services.ts";

const posthouse = join(import.meta.dirname, "..", "..", "apps", "posthouse");

export interface AgentPeerOptions {
  /** Undefined: it answers for no site, and `port` is its admin port. */
  readonly items?: readonly Item[];
  readonly core?: number | undefined;
  /** Options of node itself. */
  readonly nodeOptions?: readonly string[];
  /** From `dist`, as it is installed; `scripts/build.ts` makes that. */
  readonly isBuilt?: boolean;
  /** Hosts to answer for; all of them by default. */
  readonly hosts?: readonly string[];
  /** What else is set for them: `forward`, for one. */
  readonly host?: Readonly<Record<string, unknown>>;
  /** What else is set for the listener. */
  readonly site?: Readonly<Record<string, unknown>>;
  /** Its events job, and the token for the admin address that comes with it. */
  readonly events?: { readonly token: string; readonly subscriptions: readonly object[] };
}

/** A real agent process that serves items from its disk; its Manager refuses connections. */
export interface AgentPeer extends PeerProcess {
  readonly port: number;
  readonly adminPort: number;
  /** Writes the configuration with other hosts. It is read again at SIGHUP. */
  writeConfig(hosts: readonly string[]): Promise<void>;
}

/** Nobody listens on port 1 (tcpmux) of 127.0.0.1. */
const manager = { url: "http://127.0.0.1:1", namespace: "test", project: "redirects" };

/** Starts `posthouse agent` with logs off and waits until it has its rules. */
export async function startAgent(options: AgentPeerOptions): Promise<AgentPeer> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-peer-agent-"));
  const { events } = options;
  try {
    const state = join(folder, "state");
    const path = snapshotPath(state, manager);
    await writeSnapshot({
      path,
      namespace: manager.namespace,
      project: manager.project,
      version: 1,
      items: options.items ?? [],
    });
    const adminPort = await freePort();
    const port = options.items === undefined ? adminPort : await freePort();
    const file = join(folder, "posthouse.yaml");
    const writeConfig = (hosts: readonly string[]): Promise<void> => {
      const config = {
        name: "peer-agent",
        state,
        log: { level: "silent" },
        admin: { listen: `127.0.0.1:${adminPort}`, ...(events && { token: events.token }) },
        ...(events && { events: { subscriptions: events.subscriptions } }),
        ...(options.items !== undefined && {
          projects: { redirects: { manager: { ...manager, token: "none" } } },
          sites: [
            {
              ...options.site,
              listen: `127.0.0.1:${port}`,
              hosts: [{ ...options.host, match: hosts, project: "redirects" }],
            },
          ],
        }),
      };
      return writeFile(file, JSON.stringify(config, undefined, 2));
    };
    await writeConfig(options.hosts ?? ["*"]);
    const program = options.isBuilt
      ? [join(posthouse, "dist", "main.js")]
      : ["--conditions=posthouse-source", join(posthouse, "src", "main.ts")];
    const args = [...(options.nodeOptions ?? []), ...program, "agent", "-c", file];
    const peer = await startPeer({ command: process.execPath, args, port, core: options.core });
    const stop = async (): Promise<number> => {
      const code = await peer.stop();
      await rm(folder, { recursive: true, force: true });
      return code;
    };
    const agent: AgentPeer = {
      ...peer,
      port,
      adminPort,
      writeConfig,
      stop,
      [Symbol.asyncDispose]: async () => void (await stop()),
    };
    await untilReady(agent);
    return agent;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function untilReady(agent: AgentPeer): Promise<void> {
  const endsAt = performance.now() + 30_000;
  const url = `http://127.0.0.1:${agent.adminPort}/health/ready`;
  while (
    !(await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > endsAt) {
      await agent.stop();
      throw new Error(`the agent did not get its rules\n${agent.output()}`);
    }
    await sleep(50);
  }
}
