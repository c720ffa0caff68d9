import { formatListen, type Log } from "@posthouse/service";
import type { ForwardConfig } from "../config/forward.ts";
import { placesOf } from "../config/places.ts";
import { type AgentConfig, type HostConfig, hostsOf } from "../config/schema.ts";
import { readAuthorities } from "../http/tls-files.ts";
import { backendAddress, backendHost } from "./backend-address.ts";
import { createFailureLog } from "./failure-log.ts";
import { createForward, type Forward } from "./forward.ts";
import type { ForwardCounters } from "./metrics.ts";

export interface ForwardContext {
  readonly log: Log;
  readonly forwardCounters: (site: string) => ForwardCounters;
}

/** What makes two hosts share a forward: the same settings and the same first match. Empty without a forward. */
export function forwardKey({ forward, match }: HostConfig): string {
  return forward === undefined ? "" : JSON.stringify([match[0], forward]);
}

/**
 * The forwards of a configuration; those that did not change, in name and settings and certificates of `tls.ca`, are taken
 * over with their connections.
 */
export async function createForwards(
  config: AgentConfig,
  context: ForwardContext,
  old: ReadonlyMap<string, Forward> | undefined,
): Promise<ReadonlyMap<string, Forward>> {
  const forwards = new Map<string, Forward>();
  const at = placesOf(config);
  const names = nameForwards(config);
  for (const { host, path } of hostsOf(config)) {
    const key = forwardKey(host);
    if (host.forward === undefined || forwards.has(key)) continue;
    const { ca } = host.forward.tls;
    const authorities =
      ca === undefined ? undefined : String(await readAuthorities(ca, at([...path, "forward", "tls", "ca"])));
    const site = names.get(key) ?? key;
    const same = old?.get(key);
    const isSame = same !== undefined && same.site === site && same.authorities === authorities;
    forwards.set(key, isSame ? same : makeForward(site, host.forward, authorities, context));
  }
  return forwards;
}

/**
 * Names for metrics, by `forwardKey`. They follow from the configuration alone: a reload and a restart give the same.
 * Where several sites forward the same host differently, each is told apart by the address of its first site.
 */
function nameForwards(config: AgentConfig): ReadonlyMap<string, string> {
  const alike = new Map<string, Map<string, string>>();
  for (const { host, site } of hostsOf(config)) {
    if (host.forward === undefined) continue;
    const first = host.match[0] ?? "*";
    const listens = alike.get(first) ?? new Map<string, string>();
    alike.set(first, listens);
    const key = forwardKey(host);
    if (!listens.has(key)) listens.set(key, formatListen(site.listen));
  }
  const names = new Map<string, string>();
  for (const [first, listens] of alike) {
    const counts = new Map<string, number>();
    for (const [key, listen] of listens) {
      const count = (counts.get(listen) ?? 0) + 1;
      counts.set(listen, count);
      const name = count === 1 ? `${first} (${listen})` : `${first} (${listen}) #${count}`;
      names.set(key, listens.size === 1 ? first : name);
    }
  }
  return names;
}

function makeForward(
  site: string,
  config: ForwardConfig,
  authorities: string | undefined,
  { log, forwardCounters }: ForwardContext,
): Forward {
  const { upstreams, balance, connections, failures, timeouts, health } = config;
  const tls = {
    ca: authorities,
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
      minBodyBytesPerSecond: config.min_body_rate,
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
    tellFailure: createFailureLog(log, site),
    authorities,
  });
}
