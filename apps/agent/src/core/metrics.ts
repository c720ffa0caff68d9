import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Metric, Registry } from "prom-client";
import { Histogram, histogramValues } from "./histogram.ts";

/** A plain number on the hot path; Prometheus reads it at scrape time only. */
export interface Tally {
  value: number;
}

export type Labels = Readonly<Record<string, string>>;

export interface Tallies {
  /** The tally of these labels: the same object each time. Ask once, not per request. */
  with(labels: Labels): Tally;
}

/** Called at scrape time: report each value with its labels. */
type Reader = (report: (labels: Labels, value: number) => void) => void;

/** Counts by size: one more than bounds, for what is above the last. */
export type Distribution = Parameters<typeof histogramValues>[2];

export interface Metrics {
  counter(name: string, help: string, labelNames?: readonly string[]): Tallies;
  /** `bounds` are upper bounds in seconds, ascending. */
  histogram(
    name: string,
    help: string,
    labelNames: readonly string[],
    bounds: readonly number[],
  ): { with(labels: Labels): Histogram };
  /** Histograms that somebody else keeps, whatever their unit. */
  distribution(
    name: string,
    help: string,
    read: (report: (labels: Labels, histogram: Distribution) => void) => void,
  ): void;
  gauge(name: string, help: string, labelNames: readonly string[], read: Reader): void;
  /** A counter of what somebody else counts. */
  total(name: string, help: string, labelNames: readonly string[], read: Reader): void;
  readonly contentType: string;
  /** All metrics in Prometheus' text format. */
  text(): Promise<string>;
  start(): void;
  stop(): void;
}

/** Makes a registry of its own, with the process's vital signs in it. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const loopDelay = monitorEventLoopDelay({ resolution: 20 });

  const gauge: Metrics["gauge"] = (name, help, labelNames, read) => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        read((labels, value) => this.set({ ...labels }, value));
      },
    });
  };

  const total: Metrics["total"] = (name, help, labelNames, read) => {
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect() {
        this.reset();
        read((labels, value) => this.inc({ ...labels }, value));
      },
    });
  };

  const counter: Metrics["counter"] = (name, help, labelNames = []) => {
    const tallies = new Map<string, { labels: Labels; tally: Tally }>();
    total(name, help, labelNames, (report) => {
      for (const { labels, tally } of tallies.values()) report(labels, tally.value);
    });
    return {
      with(labels) {
        const key = JSON.stringify(labelNames.map((label) => labels[label]));
        const known = tallies.get(key);
        if (known) return known.tally;
        const tally = { value: 0 };
        tallies.set(key, { labels, tally });
        return tally;
      },
    };
  };

  const histogram: Metrics["histogram"] = (name, help, labelNames, bounds) => {
    const known = new Map<string, { labels: Labels; histogram: Histogram }>();
    registry.registerMetric({
      name,
      get: () =>
        Promise.resolve({
          name,
          help,
          type: "histogram",
          aggregator: "sum",
          values: [...known.values()].flatMap((each) => histogramValues(name, each.labels, each.histogram)),
        }),
    } as unknown as Metric);
    return {
      with(labels) {
        const key = JSON.stringify(labelNames.map((label) => labels[label]));
        const same = known.get(key);
        if (same) return same.histogram;
        const made = new Histogram(bounds);
        known.set(key, { labels, histogram: made });
        return made;
      },
    };
  };

  const distribution: Metrics["distribution"] = (name, help, read) => {
    registry.registerMetric({
      name,
      get: () => {
        const values: unknown[] = [];
        read((labels, each) => values.push(...histogramValues(name, labels, each)));
        return Promise.resolve({ name, help, type: "histogram", aggregator: "sum", values });
      },
    } as unknown as Metric);
  };

  gauge("process_resident_memory_bytes", "Memory of this process.", [], (report) =>
    report({}, process.memoryUsage.rss()),
  );
  gauge("process_cpu_seconds_total", "CPU time of this process.", [], (report) => {
    const { user, system } = process.cpuUsage();
    report({}, (user + system) / 1e6);
  });
  gauge("process_start_time_seconds", "Unix time at which this process began.", [], (report) =>
    report({}, Math.round(Date.now() / 1000 - process.uptime())),
  );
  gauge(
    "nodejs_eventloop_delay_seconds",
    "How late the event loop was since the last scrape.",
    ["quantile"],
    (report) => {
      for (const percentile of [50, 99, 100]) {
        report({ quantile: String(percentile / 100) }, loopDelay.percentile(percentile) / 1e9);
      }
      loopDelay.reset();
    },
  );

  return {
    counter,
    histogram,
    distribution,
    gauge,
    total,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    start: () => void loopDelay.enable(),
    stop: () => void loopDelay.disable(),
  };
}
