import { describeFailure, type Failure } from "../core/failure.ts";
import type { Metrics } from "../core/metrics.ts";

/** How changes of the configuration went. */
export interface Reloads {
  /** Why the latest is not used; undefined when it is. */
  readonly failure: Failure | undefined;
  succeeded(): void;
  failed(error: unknown): void;
}

/** Registers what is told of reloads. */
export function createReloads(metrics: Metrics): Reloads {
  let failure: Failure | undefined;
  const reloads = metrics.counter(
    "posthouse_config_reloads_total",
    "Changes of the configuration, by whether they could be used.",
    ["result"],
  );
  const [used, refused] = ["used", "refused"].map((result) => reloads.with({ result }));
  metrics.gauge(
    "posthouse_config_failing_since_seconds",
    "Unix time since which the changed configuration is not used, with the code of the reason; none while all is well.",
    ["code"],
    (report) => {
      if (failure !== undefined) report({ code: failure.code }, Math.round(failure.since.getTime() / 1000));
    },
  );
  return {
    get failure() {
      return failure;
    },
    succeeded() {
      failure = undefined;
      if (used !== undefined) used.value++;
    },
    failed(error) {
      failure = describeFailure(error, failure);
      if (refused !== undefined) refused.value++;
    },
  };
}
