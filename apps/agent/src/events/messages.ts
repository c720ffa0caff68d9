/** What goes between the thread that serves and the thread of the events job. Reports, answers and logs hold no secrets. */
import type { BrokerList } from "./broker-address.ts";
import type { PipelineMetrics } from "./event-counters.ts";
import type { OutletStatus } from "./outlet.ts";
import type { SourceStatus } from "./source.ts";

/** What somebody wants of a subscription. Paused: events are received and kept, and not delivered. */
export type WantedState = "running" | "paused" | "stopped";

/**
 * How it is with a subscription. connecting, retrying: to the broker, for the first time or again; blocked: the broker
 * or the disk holds it back; failing, held: at the receiver; standby: the other agent of the pair delivers; broken: it could not be started, and is tried again.
 */
export type SubscriptionState =
  | "running"
  | "standby"
  | "starting"
  | "connecting"
  | "retrying"
  | "blocked"
  | "failing"
  | "held"
  | "paused"
  | "stopped"
  | "broken";

export const subscriptionStates: readonly SubscriptionState[] = [
  ...(["running", "standby", "starting", "connecting", "retrying", "blocked"] as const),
  ...(["failing", "held", "paused", "stopped", "broken"] as const),
];

/** Where a subscription is written down. */
export type SubscriptionOrigin = "configuration" | "subscriptions file" | "added";

export interface ReportedError {
  readonly message: string;
  readonly at: Date;
}

export interface SubscriptionReport {
  readonly name: string;
  readonly origin: SubscriptionOrigin;
  readonly brokerKind: BrokerList["kind"];
  readonly wanted: WantedState;
  readonly state: SubscriptionState;
  readonly lastError: ReportedError | undefined;
  /** As configured, secrets hidden. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** While it runs. */
  readonly running: RunningReport | undefined;
}

/** What holds a subscription back, and why. */
export interface Obstacle {
  readonly by: "broker" | "disk";
  readonly message: string;
}

export interface RunningReport {
  readonly blockedBy: Obstacle | undefined;
  readonly broker: SourceStatus;
  readonly target: OutletStatus & { readonly address: string };
  readonly metrics: PipelineMetrics;
  readonly intake: {
    readonly taken: number;
    readonly refused: number;
    readonly cut: number;
    readonly retried: number;
  };
  readonly spoolErrors: number;
}

export interface EventsReport {
  readonly at: Date;
  readonly subscriptions: readonly SubscriptionReport[];
  /** What is wrong with the job as a whole: its database, the file of subscriptions, names that are there twice. */
  readonly problems: readonly string[];
  /** What is wrong with the file of subscriptions, when not all in it can run. */
  readonly brokenFile: readonly string[] | undefined;
  /** Damaged databases beside the one that is used. */
  readonly setAsideDatabases: number;
  readonly deadLetters: {
    readonly letters: number;
    readonly bytes: number;
    readonly evicted: number;
    readonly replayed: number;
    readonly dropped: number;
  };
}

/** With what was received: as `text`, or `base64` where it is none. */
export interface ListedDeadLetter {
  readonly id: number;
  readonly [key: string]: unknown;
}

export interface DeadLetterSelection {
  readonly ids?: readonly number[] | undefined;
  /** All of one subscription. */
  readonly subscription?: string | undefined;
}

export interface ReplayedDeadLetters {
  readonly replayed: number;
  /** Those that were not, by why. */
  readonly left: readonly { readonly reason: string; readonly letters: number }[];
}

export interface RemovedSubscription {
  readonly removed: string;
  /** Its queue at RabbitMQ. */
  readonly queue?:
    | {
        readonly name: string;
        readonly isDeleted: boolean;
        /** What was in it, when it is deleted. */
        readonly messages?: number;
        /** What becomes of it, or why it is still there. */
        readonly note?: string;
      }
    | undefined;
}

/** What may be asked of the thread. `undefined` stands for what has no answer but that it is done. */
export interface EventsCalls {
  /** Verifies broker and receiver first; the name. */
  add(value: unknown): Promise<string>;
  change(name: string, value: unknown): Promise<void>;
  remove(name: string, options: { readonly deleteQueue: boolean }): Promise<RemovedSubscription>;
  want(name: string, state: WantedState): Promise<void>;
  restart(name: string): Promise<void>;
  /** What Leek's agent left in Redis, and what becomes of it; only told of with `dryRun`. */
  cleanUp(name: string, options: { readonly dryRun: boolean }): Promise<readonly object[]>;
  /** In order of their ids. Long bodies are cut, unless they are wanted whole: then a page ends after a MiB. */
  listDeadLetters(query: {
    readonly subscription?: string | undefined;
    readonly after?: number | undefined;
    readonly limit?: number | undefined;
    readonly whole?: boolean;
  }): Promise<readonly ListedDeadLetter[]>;
  replayDeadLetters(selection: DeadLetterSelection): Promise<ReplayedDeadLetters>;
  /** How many. */
  dropDeadLetters(selection: DeadLetterSelection): Promise<number>;
}

export type EventsCall = keyof EventsCalls;

export type ToThread =
  | { readonly type: "configure"; readonly config: unknown }
  | {
      readonly type: "call";
      readonly id: number;
      readonly call: EventsCall;
      readonly values: readonly unknown[];
    }
  | { readonly type: "stop"; readonly deadlineMs: number };

export interface ThreadError {
  readonly code?: string | undefined;
  readonly message: string;
  readonly hint?: string | undefined;
}

export interface LogEntry {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

export type FromThread =
  | { readonly type: "report"; readonly report: EventsReport }
  | { readonly type: "log"; readonly entry: LogEntry }
  | { readonly type: "answer"; readonly id: number; readonly value: unknown }
  | { readonly type: "refusal"; readonly id: number; readonly error: ThreadError };

export interface ThreadData {
  readonly state: string;
  readonly config: unknown;
}
