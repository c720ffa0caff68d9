import type { Distribution, Labels, Metrics } from "../core/metrics.ts";
import type { EventsJob } from "./job.ts";
import { type RunningReport, type SubscriptionReport, subscriptionStates } from "./messages.ts";
import type { SourceState } from "./source.ts";

const brokerStates: readonly SourceState[] = ["stopped", "connecting", "receiving", "blocked", "paused"];

/** Registers what is told of events; the figures come from the last report of the job's thread. */
export function registerEventMetrics(metrics: Metrics, jobOf: () => EventsJob | undefined): void {
  const reports = (): readonly SubscriptionReport[] => jobOf()?.report?.subscriptions ?? [];

  type Report = (labels: Labels, value: number) => void;
  const each =
    (read: (running: RunningReport, report: Report, labels: Labels) => void) =>
    (report: Report): void => {
      for (const { name, running } of reports())
        if (running !== undefined) read(running, report, { subscription: name });
    };
  const total = (name: string, help: string, value: (running: RunningReport) => number): void =>
    metrics.total(
      `posthouse_events_${name}_total`,
      help,
      ["subscription"],
      each((running, report, labels) => report(labels, value(running))),
    );
  const gauge = (name: string, help: string, value: (running: RunningReport) => number): void =>
    metrics.gauge(
      `posthouse_events_${name}`,
      help,
      ["subscription"],
      each((running, report, labels) => report(labels, value(running))),
    );
  const distribution = (name: string, help: string, value: (running: RunningReport) => Distribution): void =>
    metrics.distribution(`posthouse_events_${name}`, help, (report) => {
      for (const { name, running } of reports())
        if (running !== undefined) report({ subscription: name }, value(running));
    });

  total(
    "received",
    "Messages from the broker; one may hold several events.",
    ({ broker }) => broker.received,
  );
  total("in", "Events that were read from messages and are valid.", ({ metrics }) => metrics.events);
  total("out", "Events that the receiver accepted.", ({ metrics }) => metrics.delivered);
  total(
    "duplicates",
    "Events that came again, and were not delivered twice.",
    ({ metrics }) => metrics.duplicates,
  );
  metrics.total(
    "posthouse_events_dropped_total",
    "Messages that were lost on their way here, by why: policy (our spool was full, Redis only), or cut (too large to be kept whole).",
    ["subscription", "reason"],
    each(({ broker, intake }, report, labels) => {
      report({ ...labels, reason: "policy" }, broker.dropped);
      report({ ...labels, reason: "cut" }, intake.cut);
    }),
  );
  metrics.total(
    "posthouse_events_dead_total",
    "Events that became dead letters, by reason.",
    ["subscription", "reason"],
    each(({ metrics }, report, labels) => {
      for (const [reason, count] of Object.entries(metrics.dead)) report({ ...labels, reason }, count);
    }),
  );
  total(
    "gaps",
    "Times at which Redis may have published events that did not reach us.",
    ({ broker }) => broker.gaps,
  );
  total(
    "overlap",
    "Messages that the other agent of a pair may have delivered too, when the lease changed hands.",
    ({ broker }) => broker.pair?.overlap ?? 0,
  );
  gauge("unconfirmed_messages", "Messages received, and not durable yet.", ({ broker }) => broker.pending);
  total(
    "refused",
    "Times a message had to wait, because the spool was full or the disk failed.",
    ({ intake }) => intake.refused,
  );
  total("batches", "Requests' worth of events that were put together.", ({ metrics }) => metrics.batches);
  distribution("batch_events", "Events of a batch.", ({ metrics }) => metrics.batchEvents);
  distribution(
    "batch_bytes",
    "Bytes of a batch as it is sent, before compression.",
    ({ metrics }) => metrics.batchBytes,
  );
  metrics.total(
    "posthouse_events_requests_total",
    "Requests to the receiver by status; timeout, error, aborted where there was no answer.",
    ["subscription", "status"],
    each(({ metrics }, report, labels) => {
      for (const [status, count] of Object.entries(metrics.requests)) report({ ...labels, status }, count);
    }),
  );
  distribution(
    "request_seconds",
    "From a request to the end of its answer.",
    ({ metrics }) => metrics.latencySeconds,
  );
  gauge(
    "spool_bytes",
    "On disk, not delivered yet; what is settled leaves with its segment.",
    ({ metrics }) => metrics.spoolBytes,
  );
  gauge(
    "spool_records",
    "Messages on disk that are not delivered yet.",
    ({ metrics }) => metrics.spoolRecords,
  );
  gauge("spool_age_seconds", "Age of the oldest of them.", ({ metrics }) => metrics.spoolAgeMs / 1000);
  total(
    "spool_errors",
    "Failed attempts to write, read or settle on disk.",
    ({ spoolErrors }) => spoolErrors,
  );
  metrics.gauge(
    "posthouse_events_broker_state",
    "1 for the state in which the connection to the broker is.",
    ["subscription", "state"],
    each(({ broker }, report, labels) => {
      for (const state of brokerStates) report({ ...labels, state }, Number(state === broker.state));
    }),
  );
  metrics.gauge(
    "posthouse_events_subscription_state",
    "1 for the state in which the subscription is.",
    ["subscription", "state"],
    (report) => {
      for (const { name, state: current } of reports())
        for (const state of subscriptionStates)
          report({ subscription: name, state }, Number(state === current));
    },
  );
  metrics.gauge("posthouse_events_dead_letters", "Dead letters that are kept.", [], (report) => {
    const job = jobOf();
    if (job?.report !== undefined) report({}, job.report.deadLetters.letters);
  });
  metrics.total(
    "posthouse_events_dead_letters_evicted_total",
    "Dead letters that were given up because there were too many.",
    [],
    (report) => {
      const job = jobOf();
      if (job?.report !== undefined) report({}, job.report.deadLetters.evicted);
    },
  );
  metrics.gauge(
    "posthouse_events_set_aside_databases",
    "Damaged state databases that were set aside, and still lie in the state directory.",
    [],
    (report) => {
      const job = jobOf();
      if (job?.report !== undefined) report({}, job.report.setAsideDatabases);
    },
  );
  metrics.total("posthouse_events_thread_restarts_total", "Times the job's thread died.", [], (report) => {
    const job = jobOf();
    if (job !== undefined) report({}, job.restarts);
  });
}
