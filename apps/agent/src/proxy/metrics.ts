import type { Metrics, Tally } from "../core/metrics.ts";
import type { FailureReason } from "./failure-reason.ts";

/** What one forward counts. */
export interface ForwardCounters {
  answered(status: number): void;
  /** `upstream` is its address, where there was one. */
  failed(reason: FailureReason, upstream: string | undefined): void;
  /** `status` is what was shown; 0 when the client was gone. */
  refused(status: number, reason: FailureReason): void;
  /** A limit ended a request, or an attempt at a backend. */
  limited(limit: ForwardLimit): void;
  retried(): void;
  clientGone(): void;
  /** A request was answered whole, cut off or given up. */
  ended(ms: number): void;
  bytesIn(bytes: number): void;
  bytesOut(bytes: number): void;
  tunnels(change: number): void;
  upstream(address: string): UpstreamCounters;
}

// biome-ignore format: one line
const limits = ["connect", "first_byte", "idle", "client", "total", "tunnel", "max_body", "waiting"] as const;
/** The keys of a forward that end what goes beyond them. */
export type ForwardLimit = (typeof limits)[number];

/** What is counted of one upstream of a forward. */
export interface UpstreamCounters {
  sent(): void;
  /** `ms` from the request's sending to the head of the answer. */
  answered(ms: number): void;
}

const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Registers what forwards count; the label `site` tells them apart. */
export function createForwardCounters(metrics: Metrics): (site: string) => ForwardCounters {
  const responses = metrics.counter(
    "posthouse_proxy_responses_total",
    "Answers of backends, by class of status.",
    ["site", "class"],
  );
  const failures = metrics.counter(
    "posthouse_proxy_failures_total",
    "Attempts that a backend did not answer.",
    ["site", "upstream", "reason"],
  );
  const errors = metrics.counter(
    "posthouse_proxy_errors_total",
    "Requests answered with an error of the proxy's own.",
    ["site", "status"],
  );
  const limited = metrics.counter(
    "posthouse_proxy_limits_total",
    "What a limit of a forward ended, by the limit's key: requests, attempts at a backend, tunnels.",
    ["site", "limit"],
  );
  const retries = metrics.counter("posthouse_proxy_retries_total", "Requests sent to another upstream.", [
    "site",
  ]);
  const aborted = metrics.counter("posthouse_proxy_client_aborts_total", "Requests whose client went away.", [
    "site",
  ]);
  const bytes = metrics.counter("posthouse_proxy_body_bytes_total", "Bytes of bodies, by direction.", [
    "site",
    "direction",
  ]);
  const durations = metrics.histogram(
    "posthouse_proxy_request_duration_seconds",
    "Forwarded requests, from their arrival to the end of the answer.",
    ["site"],
    bounds,
  );
  const sent = metrics.counter("posthouse_proxy_upstream_requests_total", "Requests sent to a backend.", [
    "site",
    "upstream",
  ]);
  const waits = metrics.histogram(
    "posthouse_proxy_upstream_response_seconds",
    "From the sending of a request to the head of the backend's answer.",
    ["site", "upstream"],
    bounds,
  );
  const open = new Map<string, Tally>();
  metrics.gauge("posthouse_proxy_tunnels", "Upgraded connections open now.", ["site"], (report) => {
    for (const [site, { value }] of open) report({ site }, value);
  });
  return (site) => {
    const classes = ["1xx", "2xx", "3xx", "4xx", "5xx"].map((name) => responses.with({ site, class: name }));
    const bytesIn = bytes.with({ site, direction: "request" });
    const bytesOut = bytes.with({ site, direction: "response" });
    const retried = retries.with({ site });
    const struck = new Map(limits.map((limit) => [limit, limited.with({ site, limit })]));
    const gone = aborted.with({ site });
    const duration = durations.with({ site });
    const tunnels = open.get(site) ?? { value: 0 };
    open.set(site, tunnels);
    const add = (tally: Tally | undefined): void => {
      if (tally !== undefined) tally.value++;
    };
    return {
      answered: (status) => add(classes[Math.floor(status / 100) - 1]),
      failed(reason, upstream) {
        add(failures.with({ site, upstream: upstream ?? "", reason }));
        if (reason === "busy") add(struck.get("waiting"));
      },
      refused(status, reason) {
        if (reason === "body_too_large") add(struck.get("max_body"));
        if (status > 0) add(errors.with({ site, status: String(status) }));
      },
      limited: (limit) => add(struck.get(limit)),
      retried: () => add(retried),
      clientGone: () => add(gone),
      ended: (ms) => duration.observe(ms / 1000),
      bytesIn(count) {
        bytesIn.value += count;
      },
      bytesOut(count) {
        bytesOut.value += count;
      },
      tunnels(change) {
        tunnels.value += change;
      },
      upstream(address) {
        const requests = sent.with({ site, upstream: address });
        const wait = waits.with({ site, upstream: address });
        return { sent: () => add(requests), answered: (ms) => wait.observe(ms / 1000) };
      },
    };
  };
}
