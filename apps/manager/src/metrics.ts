import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { ProjectFigures } from "./store/fleet-figures.ts";

/** Numbers for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  requestEnded(labels: { method: string; route: string; status: string }, seconds: number): void;
  published(seconds: number): void;
  imported(seconds: number): void;
  hitsWritten(hits: number): void;
  hitDropped(): void;
}

/** What is read when somebody asks. */
export interface MetricsSources {
  readonly openStreams: () => number;
  readonly waitingWrites: () => number;
  readonly projects: () => Promise<readonly ProjectFigures[]>;
}

export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const requests = new Counter({
    name: "posthouse_manager_requests_total",
    help: "Answered requests",
    labelNames: ["method", "route", "status"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: "posthouse_manager_request_duration_seconds",
    help: "Time to the end of the answer",
    labelNames: ["method", "route"],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  const histogram = (name: string, help: string, buckets: number[]) =>
    new Histogram({ name: `posthouse_manager_${name}`, help, buckets, registers: [registry] });
  const publishes = histogram("publish_duration_seconds", "Time of a publish", [0.01, 0.05, 0.2, 1, 5, 20]);
  const imports = histogram(
    "import_duration_seconds",
    "Time of an import, from the first row to the last draft",
    [0.05, 0.2, 1, 5, 20, 60, 300],
  );
  const batches = histogram(
    "agent_hits_batch_count",
    "Hits of agents that were written together",
    [1, 10, 100, 1_000, 10_000],
  );
  const dropped = new Counter({
    name: "posthouse_manager_agent_hits_dropped_total",
    help: "Hits of agents that were not noted, because too many waited to be written",
    registers: [registry],
  });
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name: `posthouse_manager_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(read());
      },
    });
  };
  gauge("event_streams_count", "Agents that listen for new versions", sources.openStreams);
  gauge("database_waiting_writes_count", "Changes that wait for the database", sources.waitingWrites);
  registerProjectGauges(registry, sources.projects);
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    requestEnded({ method, route, status }, seconds) {
      requests.inc({ method, route, status });
      durations.observe({ method, route }, seconds);
    },
    published: (seconds) => publishes.observe(seconds),
    imported: (seconds) => imports.observe(seconds),
    hitsWritten: (hits) => batches.observe(hits),
    hitDropped: () => dropped.inc(),
  };
}

type Figure = Exclude<keyof ProjectFigures, "namespace" | "project">;

const projectGauges: readonly (readonly [string, string, Readonly<Record<string, Figure>>])[] = [
  ["project_version_count", "Published version of a project", { "": "version" }],
  ["project_items_count", "Published items of a project", { redirect: "redirects", page: "pages" }],
  [
    "project_drafts_count",
    "Changes of a project that are not published",
    { redirect: "redirectDrafts", page: "pageDrafts" },
  ],
  [
    "project_agents_count",
    "Agents of a project; those lagging or failing are among those online",
    { online: "online", offline: "offline", lagging: "lagging", failing: "failing" },
  ],
];

/** Every project has every series, with 0 where there is nothing, so that an alert on `== 0` can fire. */
function registerProjectGauges(registry: Registry, read: MetricsSources["projects"]): void {
  let reading: Promise<readonly ProjectFigures[]> | undefined;
  const readOnce = (): Promise<readonly ProjectFigures[]> => {
    reading ??= read().finally(() => {
      reading = undefined; // the gauges of one scrape share one reading
    });
    return reading;
  };
  for (const [name, help, series] of projectGauges) {
    const label = name.includes("agents") ? "state" : "kind";
    const labelNames = ["namespace", "project", ...("" in series ? [] : [label])];
    new Gauge({
      name: `posthouse_manager_${name}`,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const figures = await readOnce();
        this.reset();
        for (const each of figures) {
          const of = { namespace: each.namespace, project: each.project };
          for (const [value, figure] of Object.entries(series))
            this.set(value === "" ? of : { ...of, [label]: value }, each[figure]);
        }
      },
    });
  }
}
