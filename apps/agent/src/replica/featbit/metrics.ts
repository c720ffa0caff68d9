import type { Metrics } from "../../core/metrics.ts";
import type { FlagSource, FlagSourceStatus } from "./flag-source.ts";

/** Registers what is known of the flags' copy; nothing is reported while there is no source. */
export function registerFlagSourceMetrics(metrics: Metrics, source: () => FlagSource | undefined): void {
  type Report = (labels: Readonly<Record<string, string>>, value: number) => void;
  const reading =
    (read: (status: FlagSourceStatus, report: Report) => void) =>
    (report: Report): void => {
      const status = source()?.status;
      if (status !== undefined) read(status, report);
    };
  const gauge = (
    name: string,
    help: string,
    labels: readonly string[],
    read: (status: FlagSourceStatus, report: Report) => void,
  ): void => metrics.gauge(`posthouse_flags_${name}`, help, labels, reading(read));
  const total = (
    name: string,
    help: string,
    labels: readonly string[],
    read: (status: FlagSourceStatus, report: Report) => void,
  ): void => metrics.total(`posthouse_flags_${name}_total`, help, labels, reading(read));

  gauge(
    "sync_state",
    "1 for the state that FeatBit's portal is told: None, Starting, Stable, Interrupted, Stopped.",
    ["state"],
    ({ syncState }, report) => report({ state: syncState }, 1),
  );
  gauge("populated", "1 once flags were loaded, from wherever.", [], ({ isPopulated }, report) =>
    report({}, Number(isPopulated)),
  );
  gauge(
    "authoritative",
    "1 once the source itself said all in this process; before, what is not known may yet exist.",
    [],
    ({ isAuthoritative }, report) => report({}, Number(isAuthoritative)),
  );
  gauge(
    "degraded",
    "1 while what is served may not be the newest: FeatBit is away, or the flag file cannot be used.",
    [],
    ({ degraded }, report) => report({}, Number(degraded !== undefined)),
  );
  gauge(
    "age_seconds",
    "Seconds since the flags' source was last heard; since the start, while it was not yet.",
    [],
    ({ syncedAt, startedAt }, report) => {
      const from = syncedAt ?? startedAt;
      if (from !== undefined) report({}, (Date.now() - from.getTime()) / 1000);
    },
  );
  gauge(
    "environment_version",
    "When the newest item of an environment changed, in ms since 1970; 0: it has none.",
    ["environment"],
    ({ environments }, report) => {
      for (const { name, version } of environments) report({ environment: name }, version);
    },
  );
  gauge("environment_flags", "Flags of an environment.", ["environment"], ({ environments }, report) => {
    for (const { name, flags } of environments) report({ environment: name }, flags);
  });
  gauge("problems", "Pieces of flags and segments that could not be used.", [], ({ problems }, report) =>
    report({}, problems.length),
  );
  gauge("upstream_connected", "1 while the connection to FeatBit stands.", [], ({ upstream }, report) => {
    if (upstream !== undefined) report({}, Number(upstream.connected));
  });
  gauge(
    "upstream_failing_since_seconds",
    "Unix time since which an operation fails, with the code of its latest failure; none while all is well.",
    ["operation", "code"],
    ({ upstream }, report) => {
      for (const { operation, code, since } of upstream?.failures ?? [])
        report({ operation, code }, Math.round(since.getTime() / 1000));
    },
  );
  total("upstream_connects", "Connections to FeatBit that were opened.", [], ({ upstream }, report) => {
    if (upstream !== undefined) report({}, upstream.counters.connects);
  });
  total(
    "upstream_syncs",
    "What came from FeatBit: full (everything), patch (what was newer), push (a change as it happened).",
    ["kind"],
    ({ upstream }, report) => {
      if (upstream === undefined) return;
      report({ kind: "full" }, upstream.counters.fullSyncs);
      report({ kind: "patch" }, upstream.counters.patches);
      report({ kind: "push" }, upstream.counters.pushes);
    },
  );
  total(
    "upstream_dropped",
    "Messages of FeatBit that were left out: not_json, invalid, unknown_type, large (everything is fetched instead).",
    ["reason"],
    ({ upstream }, report) => {
      for (const [reason, count] of Object.entries(upstream?.counters.dropped ?? {}))
        report({ reason }, count);
    },
  );
  total("upstream_unanswered", "Requests that FeatBit left unanswered.", [], ({ upstream }, report) => {
    if (upstream !== undefined) report({}, upstream.counters.unanswered);
  });
  total("snapshot_writes", "Times the flags were written to disk.", [], ({ snapshot }, report) =>
    report({}, snapshot.writes),
  );
  total("snapshot_write_failures", "Times that failed.", [], ({ snapshot }, report) =>
    report({}, snapshot.writeFailures),
  );
  total("snapshot_damaged", "Copies on disk that could not be used.", [], ({ snapshot }, report) =>
    report({}, snapshot.damaged),
  );
  total(
    "snapshot_picked_up",
    "Copies of other agents taken over while running.",
    [],
    ({ snapshot }, report) => report({}, snapshot.pickedUp),
  );
  total("file_loads", "Times the flag file was loaded.", [], ({ file }, report) => {
    if (file !== undefined) report({}, file.loads);
  });
}
