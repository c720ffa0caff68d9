import type { Metrics } from "../core/metrics.ts";
import type { Forward } from "./forward.ts";
import type { Upstream } from "./upstream.ts";

/** Registers how the upstreams of the moment stand. */
export function registerUpstreamMetrics(metrics: Metrics, forwards: () => Iterable<Forward>): void {
  const perUpstream = (name: string, help: string, read: (upstream: Upstream) => number): void =>
    metrics.gauge(`posthouse_proxy_upstream_${name}`, help, ["site", "upstream"], (report) => {
      for (const { site, upstreams } of forwards())
        for (const upstream of upstreams) report({ site, upstream: upstream.address.text }, read(upstream));
    });
  perUpstream("open_connections", "Connections to a backend, idle ones too.", ({ pool }) => pool.open);
  perUpstream("idle_connections", "Idle connections to a backend.", ({ pool }) => pool.idle);
  perUpstream("waiting", "Requests that wait for a connection to a backend.", ({ pool }) => pool.waiting);
  perUpstream(
    "available",
    "1 while a backend is asked; 0 while it failed too often or its health check.",
    (upstream) => Number(upstream.isAvailable(performance.now())),
  );
}
