/**
 * The subscriptions of an agent, each kept as it is wanted by itself: started, changed, stopped, and started again when
 * that failed. None waits for another.
 */
import { describeConfig, type Log } from "@posthouse/service";
import type { SubscriptionConfig } from "../config/subscription.ts";
import type {
  ReportedError,
  SubscriptionOrigin,
  SubscriptionReport,
  SubscriptionState,
  WantedState,
} from "./messages.ts";
import { seal } from "./sealed.ts";
import type { RunningSubscription } from "./subscription.ts";

export interface Planned {
  readonly config: SubscriptionConfig;
  readonly origin: SubscriptionOrigin;
  readonly brokerKind: SubscriptionReport["brokerKind"];
  readonly wanted: WantedState;
}

export interface FleetOptions {
  start(config: SubscriptionConfig): Promise<RunningSubscription>;
  readonly log: Log;
}

export interface Fleet {
  /** Makes it so, by name; those that are not in it are stopped and forgotten. */
  plan(subscriptions: ReadonlyMap<string, Planned>): void;
  /** Stops it and starts it again, when it is to run. */
  restart(name: string): void;
  /** Resolves when it is as it is wanted, or the attempt failed. */
  settled(name: string): Promise<void>;
  running(name: string): RunningSubscription | undefined;
  report(): SubscriptionReport[];
  stop(deadlineMs: number): Promise<void>;
}

const leaveWithinMs = 10_000;
const retryMs = [1000, 30_000] as const;

export function createFleet({ start, log }: FleetOptions): Fleet {
  const members = new Map<string, Member>();

  class Member {
    readonly name: string;
    planned: Planned | undefined;
    isRestarting = false;
    #running: RunningSubscription | undefined;
    /** What it runs with. */
    #key = "";
    #failure: ReportedError | undefined;
    #failures = 0;
    #timer: NodeJS.Timeout | undefined;
    #work: Promise<void> | undefined;
    #isDirty = false;
    #stopWithinMs = leaveWithinMs;

    constructor(name: string) {
      this.name = name;
    }

    get running(): RunningSubscription | undefined {
      return this.#running;
    }

    settle(): Promise<void> {
      this.#isDirty = true;
      this.#work ??= this.#settle();
      return this.#work;
    }

    get settled(): Promise<void> {
      return this.#work ?? Promise.resolve();
    }

    async #settle(): Promise<void> {
      await undefined; // so that `#work` is set before it is cleared
      clearTimeout(this.#timer);
      while (this.#isDirty) {
        this.#isDirty = false;
        const { planned } = this;
        const config = planned?.wanted === "stopped" ? undefined : planned?.config;
        const key = config === undefined ? "" : keyOf(config);
        if (this.#running !== undefined && (key !== this.#key || this.isRestarting)) await this.#end();
        this.isRestarting = false;
        if (config === undefined) this.#failure = undefined;
        else if (this.#running === undefined) await this.#begin(config, key);
        if (this.planned?.wanted === "paused") this.#running?.pause();
        else this.#running?.resume();
      }
      this.#work = undefined;
      if (this.planned === undefined && members.get(this.name) === this) members.delete(this.name);
    }

    async #begin(config: SubscriptionConfig, key: string): Promise<void> {
      try {
        this.#running = await start(config);
        this.#key = key;
        this.#failure = undefined;
        this.#failures = 0;
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        if (message !== this.#failure?.message)
          log.error(
            { subscription: this.name, error },
            "a subscription cannot be started; it is tried again",
          );
        this.#failure = { message, at: new Date() };
        const delay = Math.min(retryMs[1], retryMs[0] * 2 ** Math.min(this.#failures++, 10));
        this.#timer = setTimeout(() => void this.settle(), delay * (0.5 + Math.random() / 2));
      }
    }

    async #end(): Promise<void> {
      const leaving = this.#running;
      try {
        await leaving?.stop(this.#stopWithinMs);
      } catch (error) {
        log.warn({ subscription: this.name, error }, "a subscription did not stop cleanly");
      }
      this.#running = undefined;
    }

    async stop(deadlineMs: number): Promise<void> {
      this.#stopWithinMs = deadlineMs;
      this.planned = undefined;
      await this.settle();
    }

    report(): SubscriptionReport[] {
      if (this.planned === undefined) return [];
      const { config, origin, brokerKind, wanted } = this.planned;
      const running = this.#running?.report();
      const state = stateOf(wanted, running, this.#failure);
      const lastError = this.#failure ?? latest(running?.broker.lastError, running?.target.lastError);
      const settings = describeConfig(config) as Record<string, unknown>;
      return [{ name: this.name, origin, brokerKind, wanted, state, lastError, settings, running }];
    }
  }

  return {
    plan(subscriptions) {
      for (const [name, planned] of subscriptions) {
        const member = members.get(name) ?? new Member(name);
        members.set(name, member);
        member.planned = planned;
        void member.settle();
      }
      for (const [name, member] of members) {
        if (subscriptions.has(name)) continue;
        member.planned = undefined;
        void member.settle();
      }
    },
    restart(name) {
      const member = members.get(name);
      if (member === undefined) return;
      member.isRestarting = true;
      void member.settle();
    },
    settled: async (name) => members.get(name)?.settled,
    running: (name) => members.get(name)?.running,
    report: () => [...members.values()].flatMap((member) => member.report()),
    async stop(deadlineMs) {
      await Promise.all([...members.values()].map((member) => member.stop(deadlineMs)));
    },
  };
}

const keyOf = (config: SubscriptionConfig): string => JSON.stringify(seal(config));

function stateOf(
  wanted: WantedState,
  running: SubscriptionReport["running"],
  failure: ReportedError | undefined,
): SubscriptionState {
  if (running === undefined)
    return failure === undefined ? (wanted === "stopped" ? "stopped" : "starting") : "broken";
  const { broker, target } = running;
  if (wanted !== "running") return wanted;
  if (broker.state === "connecting") return broker.lastError === undefined ? "connecting" : "retrying";
  if (running.blockedBy !== undefined) return "blocked";
  if (target.state === "failing" || target.state === "held") return target.state;
  return broker.pair?.isLeading === false ? "standby" : "running";
}

function latest(one: ReportedError | undefined, other: ReportedError | undefined): ReportedError | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.at > other.at ? one : other;
}
