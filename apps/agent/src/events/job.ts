/**
 * The events job: what brokers emit goes to an API, in a thread of its own, so that nothing of it holds up requests.
 * Here is what the other jobs' thread keeps of it: the last report, and the way to ask for something.
 */
import type { Log, Part } from "@posthouse/service";
import type { EventsConfig } from "../config/events.ts";
import type { JobHealth } from "../core/health.ts";
import { createJobThread, type JobThread } from "./job-thread.ts";
import type { EventsReport, Obstacle, SubscriptionReport } from "./messages.ts";
import { createRates, type EventRates } from "./rates.ts";

export interface EventsJobOptions {
  /** The state directory. */
  readonly state: string;
  readonly config: EventsConfig;
  readonly log: Log;
}

export interface EventsJob extends Part {
  /** Its state directory: a job can be taken over by a configuration with the same one. */
  readonly state: string;
  /** Changes to other subscriptions; those that stay the same go on undisturbed. */
  configure(config: EventsConfig): void;
  readonly health: JobHealth;
  /** For `/status`, without secrets. */
  status(): EventsStatus;
  readonly report: EventsReport | undefined;
  readonly restarts: number;
  readonly call: JobThread["call"];
}

export interface EventsStatus {
  /** Why nothing runs; undefined while the thread does. */
  readonly failure: string | undefined;
  readonly restarts: number;
  readonly at: Date | undefined;
  readonly problems: readonly string[];
  readonly deadLetters: EventsReport["deadLetters"] | undefined;
  readonly subscriptions: readonly SubscriptionStatus[];
}

export interface SubscriptionStatus {
  readonly name: string;
  readonly origin: SubscriptionReport["origin"];
  readonly brokerKind: SubscriptionReport["brokerKind"];
  readonly wanted: SubscriptionReport["wanted"];
  readonly state: SubscriptionReport["state"];
  readonly lastError: SubscriptionReport["lastError"];
  /** What holds it back, and why; whatever its state. */
  readonly blockedBy: Obstacle | undefined;
  /** Events a second, over the last ten seconds. */
  readonly rates: EventRates;
  /** Age of the oldest event that is not delivered. */
  readonly lagSeconds: number;
  readonly spool: { readonly records: number; readonly bytes: number; readonly limitBytes: unknown };
  readonly broker: object | undefined;
  readonly target: object | undefined;
  readonly events: object | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** The thread says how things are each second; without a word for this long it hangs. */
const silentMs = 15_000;
/** For events that are on their way when the agent stops; what remains is on disk. */
const flushWithinMs = 5000;

export function createEventsJob({ state, config, log }: EventsJobOptions): EventsJob {
  const rates = createRates();
  const current = new Map<string, Date>();
  let report: EventsReport | undefined;
  let reportedAt = 0;
  const thread = createJobThread({
    ...{ state, config, log },
    onReport(next) {
      report = next;
      reportedAt = performance.now();
      const names = new Set(next.subscriptions.map(({ name }) => name));
      for (const name of current.keys()) if (!names.has(name)) current.delete(name);
      rates.keepOnly(names);
      for (const subscription of next.subscriptions) {
        rates.observe(subscription, reportedAt);
        if (isCurrent(subscription)) current.set(subscription.name, next.at);
      }
    },
  });

  function failure(): string | undefined {
    if (thread.failure !== undefined) return `the thread of the job does not run: ${thread.failure}`;
    const silence = performance.now() - reportedAt;
    return silence > silentMs
      ? `the thread of the job has said nothing for ${Math.round(silence / 1000)} s`
      : undefined;
  }

  return {
    name: "events",
    state,
    start: () => thread.start(),
    stop: (deadlineMs) => thread.stop(Math.min(deadlineMs, flushWithinMs)),
    configure: thread.configure,
    call: thread.call,
    get report() {
      return report;
    },
    get restarts() {
      return thread.restarts;
    },
    health: {
      job: "events",
      unready() {
        const broken =
          report?.subscriptions.filter(({ state }) => state === "broken" || state === "starting") ?? [];
        const reasons = [
          ...broken.map(({ name, lastError }) => `${name} (${lastError?.message ?? "not yet"})`),
          ...(report?.brokenFile ?? []),
        ];
        if (failure() !== undefined || reasons.length === 0) return failure();
        return `not started: ${reasons.join(", ")}`;
      },
      checked: () => [
        ...(report?.subscriptions ?? [])
          .filter(({ wanted }) => wanted === "running")
          .map(({ name }) => ({ name: `events ${name}`, at: current.get(name) })),
        ...(report?.brokenFile === undefined ? [] : [{ name: "events subscriptions_file", at: undefined }]),
      ],
    },
    status() {
      return {
        failure: failure(),
        restarts: thread.restarts,
        at: report?.at,
        problems: report?.problems ?? [],
        deadLetters: report?.deadLetters,
        subscriptions: (report?.subscriptions ?? []).map((each) => statusOf(each, rates.of(each.name))),
      };
    },
  };
}

/** It receives, and what came is delivered in time, unless that is for the other one of its pair to do. */
function isCurrent({ state, running, settings }: SubscriptionReport): boolean {
  const windowMs = Number(settings.batch_max_window_in_seconds) * 1000;
  return (
    (state === "running" || state === "standby") && (running?.metrics.spoolAgeMs ?? 0) <= 2 * windowMs + 5000
  );
}

function statusOf(report: SubscriptionReport, rates: EventRates): SubscriptionStatus {
  const { name, origin, brokerKind, wanted, state, lastError, running, settings } = report;
  const metrics = running?.metrics;
  return {
    ...{ name, origin, brokerKind, wanted, state, lastError, rates, blockedBy: running?.blockedBy },
    lagSeconds: Math.round((metrics?.spoolAgeMs ?? 0) / 1000),
    spool: {
      records: metrics?.spoolRecords ?? 0,
      bytes: metrics?.spoolBytes ?? 0,
      limitBytes: settings.spool_size,
    },
    broker: running?.broker,
    target: running?.target,
    events: metrics && {
      in: metrics.events,
      out: metrics.delivered,
      duplicates: metrics.duplicates,
      dead: metrics.dead,
      requests: metrics.requests,
    },
    settings,
  };
}
