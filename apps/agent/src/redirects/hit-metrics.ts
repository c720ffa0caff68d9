import type { Metrics } from "../core/metrics.ts";
import type { Hits } from "./hits.ts";

/** Registers what is counted per rule, summed up per project. */
export function registerHitMetrics(metrics: Metrics, all: ReadonlyMap<string, Hits>): void {
  metrics.total(
    "posthouse_redirects_hits_total",
    "Requests that a rule or page answered.",
    ["project"],
    (report) => {
      for (const [project, { total }] of all) report({ project }, total);
    },
  );
  metrics.gauge(
    "posthouse_redirects_rules_hit",
    "Rules and pages with at least one hit.",
    ["project"],
    (report) => {
      for (const [project, { distinct }] of all) report({ project }, distinct);
    },
  );
  metrics.total(
    "posthouse_redirects_hits_uncounted_total",
    "Hits that found no room in the counts per rule.",
    ["project"],
    (report) => {
      for (const [project, { uncounted }] of all) report({ project }, uncounted);
    },
  );
}
