import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

/** Numbers for Prometheus. */
export interface Metrics {
  readonly contentType: string;
  text(): Promise<string>;
  requestEnded(labels: { method: string; route: string; status: string }, seconds: number): void;
  published(seconds: number): void;
  imported(seconds: number): void;
}

export function createMetrics(openStreams: () => number): Metrics {
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
  const publishes = new Histogram({
    name: "posthouse_manager_publish_duration_seconds",
    help: "Time of a publish",
    buckets: [0.01, 0.05, 0.2, 1, 5, 20],
    registers: [registry],
  });
  const imports = new Histogram({
    name: "posthouse_manager_import_duration_seconds",
    help: "Time of an import, from the first row to the last draft",
    buckets: [0.05, 0.2, 1, 5, 20, 60, 300],
    registers: [registry],
  });
  new Gauge({
    name: "posthouse_manager_event_streams_count",
    help: "Agents that listen for new versions",
    registers: [registry],
    collect() {
      this.set(openStreams());
    },
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
    requestEnded({ method, route, status }, seconds) {
      requests.inc({ method, route, status });
      durations.observe({ method, route }, seconds);
    },
    published: (seconds) => publishes.observe(seconds),
    imported: (seconds) => imports.observe(seconds),
  };
}
