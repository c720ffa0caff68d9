import type { Metrics } from "../../core/metrics.ts";
import type { AccessLogCounters } from "./file.ts";

/** Registers what access logs count; the label `file` tells them apart. */
export function createAccessLogCounters(metrics: Metrics): (file: string) => AccessLogCounters {
  const lines = metrics.counter("posthouse_access_log_lines_total", "Lines written to an access log.", [
    "file",
  ]);
  const dropped = metrics.counter(
    "posthouse_access_log_dropped_total",
    "Lines lost because an access log could not be written fast enough, or at all.",
    ["file"],
  );
  return (file) => ({ lines: lines.with({ file }), dropped: dropped.with({ file }) });
}
