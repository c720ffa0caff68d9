import { readFile } from "node:fs/promises";
import type { Log } from "@posthouse/service";
import type { ForwardConfig } from "../config/forward.ts";
import type { AgentConfig, HostConfig } from "../config/schema.ts";
import { agentErrors } from "../core/errors.ts";
import { backendAddress, backendHost } from "./backend-address.ts";
import { createForward, type Forward } from "./forward.ts";
import type { ForwardCounters } from "./metrics.ts";

export interface ForwardContext {
  readonly log: Log;
  readonly forwardCounters: (site: string) => ForwardCounters;
}

/** What makes two hosts share a forward: the same settings and the same name in metrics. Empty without a forward. */
export function forwardKey({ forward, match }: HostConfig): string {
  return forward === undefined ? "" : JSON.stringify([match[0], forward]);
}

/** The forwards of a configuration; those that did not change are taken over with their connections. */
export async function createForwards(
  { sites }: AgentConfig,
  context: ForwardContext,
  old: ReadonlyMap<string, Forward> | undefined,
): Promise<ReadonlyMap<string, Forward>> {
  const forwards = new Map<string, Forward>();
  for (const host of sites.flatMap(({ hosts }) => hosts)) {
    const key = forwardKey(host);
    if (host.forward === undefined || forwards.has(key)) continue;
    const same = old?.get(key);
    forwards.set(key, same ?? (await makeForward(host.match[0] ?? "", host.forward, context)));
  }
  return forwards;
}

async function makeForward(
  site: string,
  config: ForwardConfig,
  { log, forwardCounters }: ForwardContext,
): Promise<Forward> {
  const { upstreams, balance, connections, failures, timeouts, health } = config;
  const tls = {
    ca: config.tls.ca === undefined ? undefined : await readCertificates(config.tls.ca),
    serverName: config.tls.server_name,
    allowInvalidCertificates: config.tls.allow_invalid_certificates,
  };
  return createForward({
    site,
    addresses: upstreams.map((url) => backendAddress(url, tls)),
    balance,
    upstream: {
      maxConnections: connections.max,
      maxWaiting: connections.waiting,
      maxIdle: connections.idle,
      idleMs: connections.idle_for,
      failAfter: failures.after,
      leaveAloneMs: failures.leave_for,
    },
    limits: {
      connectMs: timeouts.connect,
      firstByteMs: timeouts.first_byte,
      idleMs: timeouts.idle,
      clientMs: timeouts.client,
      totalMs: timeouts.total,
      tunnelIdleMs: timeouts.tunnel,
      maxBodyBytes: config.max_body,
      retries: failures.retries,
    },
    health:
      health === undefined
        ? undefined
        : {
            path: health.path,
            host: backendHost(upstreams[0] ?? ""),
            everyMs: health.every,
            timeoutMs: health.timeout,
            onChange: ({ address }, healthy, why) =>
              healthy
                ? log.info({ upstream: address.text, site }, "the backend is healthy")
                : log.warn(
                    { upstream: address.text, site, why },
                    "the backend is not healthy; it is passed over",
                  ),
          },
    counters: forwardCounters(site),
  });
}

async function readCertificates(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw agentErrors.create("FILE_NOT_READABLE", { file, reason: String(cause) }, { cause });
  }
}
