/** Where one host's requests go when no rule answers them: its upstreams, its limits, and what is counted. */

import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { Part } from "@posthouse/service";
import type { BackendAddress } from "./backend/connection.ts";
import type { ResponseHead } from "./backend/response-head.ts";
import { type Balance, type Balancer, createBalancer } from "./balancer.ts";
import type { BodyRate } from "./body-rate.ts";
import { createDeadlines, type Deadlines } from "./deadlines.ts";
import type { FailureLog } from "./failure-log.ts";
import { createHealthCheck, type HealthCheckOptions } from "./health-check.ts";
import type { ForwardCounters } from "./metrics.ts";
import { openTunnel, type Tunnel } from "./tunnel.ts";
import { Upstream, type UpstreamOptions } from "./upstream.ts";

export interface ForwardLimits extends BodyRate {
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** Longest silence of the backend in the middle of its answer. */
  readonly idleMs: number;
  /** Longest time in which a client sends nothing of its body, or takes nothing of an answer. */
  readonly clientMs: number;
  /** 0: none. */
  readonly totalMs: number;
  readonly tunnelIdleMs: number;
  readonly maxBodyBytes: number;
  /** Further upstreams that are tried when one does not answer what may be sent again. */
  readonly retries: number;
}

export interface ForwardOptions {
  readonly site: string;
  readonly addresses: readonly BackendAddress[];
  readonly balance: Balance;
  readonly upstream: UpstreamOptions;
  readonly limits: ForwardLimits;
  readonly counters: ForwardCounters;
  readonly tellFailure: FailureLog;
  /** The certificates in `tls.ca`, where one is named. */
  readonly authorities?: string | undefined;
  readonly health?: Omit<HealthCheckOptions, "upstreams"> | undefined;
}

export interface Forward extends Part {
  /** Its name in metrics and in the log. */
  readonly site: string;
  readonly upstreams: readonly Upstream[];
  readonly balancer: Balancer;
  readonly deadlines: Deadlines;
  readonly limits: ForwardLimits;
  readonly count: ForwardCounters;
  readonly tellFailure: FailureLog;
  readonly authorities: string | undefined;
  responseHeaders(head: ResponseHead): string[];
  tunnel(client: Duplex, backend: Duplex): void;
}

const finishEveryMs = { first: 25, last: 250 };

/** Makes a forward; `start` begins its timers, `stop` lets running requests end within the deadline. */
export function createForward(options: ForwardOptions): Forward {
  const { limits, counters } = options;
  const upstreams = options.addresses.map(
    (address) => new Upstream(address, options.upstream, counters.upstream(address.text)),
  );
  const tunnels = new Set<Tunnel>();
  let stopBy = Number.POSITIVE_INFINITY;
  const health = options.health && createHealthCheck({ ...options.health, upstreams });
  const deadlines = createDeadlines((now) => {
    for (const { pool } of upstreams) pool.sweep(now);
  });

  return {
    name: `forward ${options.site}`,
    site: options.site,
    upstreams,
    balancer: createBalancer(upstreams, options.balance),
    deadlines,
    limits,
    count: counters,
    tellFailure: options.tellFailure,
    authorities: options.authorities,
    responseHeaders: (head) => head.headers,
    tunnel(client, backend) {
      counters.tunnels(1);
      const tunnel = openTunnel(client, backend, limits.tunnelIdleMs, (wasIdle) => {
        tunnels.delete(tunnel);
        counters.tunnels(-1);
        if (wasIdle) counters.limited("tunnel");
      });
      tunnels.add(tunnel);
    },
    async start() {
      stopBy = Number.POSITIVE_INFINITY;
      deadlines.start();
      await health?.start();
    },
    async stop(deadlineMs) {
      stopBy = Math.min(stopBy, performance.now() + deadlineMs);
      await health?.stop(deadlineMs);
      let pauseMs = finishEveryMs.first;
      while (deadlines.size + tunnels.size > 0 && performance.now() < stopBy) {
        await sleep(Math.min(pauseMs, stopBy - performance.now()));
        pauseMs = Math.min(pauseMs * 1.1, finishEveryMs.last);
      }
      deadlines.stop();
      for (const tunnel of tunnels) tunnel.destroy();
      for (const { pool } of upstreams) pool.destroy();
    },
  };
}
