import type { Metrics } from "../core/metrics.ts";
import type { Replica } from "./replica.ts";

/** Registers what is served and how old it is, per project. */
export function registerReplicaMetrics(metrics: Metrics, replicas: () => Iterable<Replica>): void {
  const perProject = (name: string, help: string, read: (replica: Replica) => number | undefined): void =>
    metrics.gauge(`posthouse_replica_${name}`, help, ["project"], (report) => {
      for (const replica of replicas()) {
        const value = read(replica);
        if (value !== undefined) report({ project: replica.project }, value);
      }
    });

  perProject("version", "Version that is served; 0 when none is.", ({ status }) => status.version);
  perProject("connected", "1 while the Manager's push connection stands.", ({ status }) =>
    status.connected === undefined ? undefined : Number(status.connected),
  );
  perProject(
    "failing",
    "1 while an attempt to keep in step failed and did not succeed since.",
    ({ status }) => Number(status.lastError !== undefined),
  );
  metrics.gauge(
    "posthouse_replica_failing_since_seconds",
    "Unix time since which an operation fails, with the code of its latest failure; none while all is well.",
    ["project", "operation", "code"],
    (report) => {
      for (const { project, status } of replicas()) {
        for (const { operation, code, since } of status.failures)
          report({ project, operation, code }, Math.round(since.getTime() / 1000));
      }
    },
  );
  perProject("problems", "Errors and warnings of the rules served.", ({ status }) => status.problems);
  perProject(
    "age_seconds",
    "Seconds since the Manager or the file last confirmed what is served; since the start, while it has not yet.",
    ({ status: { checkedAt, startedAt } }) => {
      const from = checkedAt ?? startedAt;
      return from && (Date.now() - from.getTime()) / 1000;
    },
  );
  perProject("redirects", "Redirects served.", ({ status }) => status.redirects);
  perProject("pages", "Pages served.", ({ status }) => status.pages);

  metrics.total(
    "posthouse_redirects_cut_off_total",
    "What a bound cut off: uri_too_long, regex_time (requests), target_refused (rules passed over).",
    ["project", "reason"],
    (report) => {
      for (const { project, cutOff } of replicas()) {
        report({ project, reason: "uri_too_long" }, cutOff.uriTooLong);
        report({ project, reason: "regex_time" }, cutOff.regexTimeouts);
        report({ project, reason: "target_refused" }, cutOff.targetsRefused);
      }
    },
  );
}
