/** The thread of the events job, as the other side sees it: started again whenever it dies, and asked things. */
import { Worker } from "node:worker_threads";
import { PosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { EventsConfig } from "../config/events.ts";
import { agentErrors } from "../core/errors.ts";
import type {
  EventsCall,
  EventsCalls,
  EventsReport,
  FromThread,
  ThreadData,
  ThreadError,
  ToThread,
} from "./messages.ts";
import { seal } from "./sealed.ts";

export interface JobThreadOptions {
  /** The state directory. */
  readonly state: string;
  readonly config: EventsConfig;
  readonly log: Log;
  readonly onReport: (report: EventsReport) => void;
  /** For tests. Default: the thread's own file. */
  readonly url?: URL;
}

export interface JobThread {
  /** Ended unexpectedly so many times. */
  readonly restarts: number;
  /** Why it does not run; undefined while it does. */
  readonly failure: string | undefined;
  /** Resolves when it runs, or failed for the first time. */
  start(): Promise<void>;
  configure(config: EventsConfig): void;
  /** @throws what the thread says, EVENTS_JOB_DOWN */
  call<Call extends EventsCall>(
    call: Call,
    ...values: Parameters<EventsCalls[Call]>
  ): ReturnType<EventsCalls[Call]>;
  stop(deadlineMs: number): Promise<void>;
}

/** Of the young generation V8 would take four times as much, and be no faster with it. */
const resourceLimits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 12 };
const restartMs = [500, 30_000] as const;
/** A thread that ran this long was well. */
const lastedMs = 60_000;
const startWithinMs = 5000;
const callMs = 60_000;
const mostCalls = 100;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

// `.ts` from source, `.js` when built.
const workerUrl = new URL(`./events-worker${import.meta.url.slice(-3)}`, import.meta.url);

export function createJobThread(options: JobThreadOptions): JobThread {
  const { state, log, onReport, url = workerUrl } = options;
  const waiting = new Map<number, Waiting>();
  const first = Promise.withResolvers<void>();
  let config = options.config;
  let worker: Worker | undefined;
  let exited = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let failure: string | undefined = "it was not started";
  let restarts = 0;
  let inARow = 0;
  let lastId = 0;
  let isStopping = false;

  const post = (message: ToThread): void => worker?.postMessage(message);

  function run(): void {
    const beganAt = performance.now();
    const data: ThreadData = { state, config: seal(config) };
    const own = new Worker(url, { workerData: data, resourceLimits });
    let reason: unknown;
    worker = own;
    own.on("message", (message: FromThread) => receive(message));
    own.on("error", (error) => {
      reason = error;
    });
    exited = new Promise((resolve) => {
      own.on("exit", () => {
        worker = undefined;
        if (!isStopping) died(reason, performance.now() - beganAt);
        rejectAll();
        resolve();
      });
    });
  }

  function died(reason: unknown, lastedForMs: number): void {
    if (lastedForMs > lastedMs) inARow = 0;
    restarts++;
    failure = reason instanceof Error ? reason.message : "it ended without a reason";
    const delay =
      Math.min(restartMs[1], restartMs[0] * 2 ** Math.min(inARow++, 10)) * (0.5 + Math.random() / 2);
    log.error(
      { error: reason, againInMs: Math.round(delay) },
      "the thread of the events job died; it is started again",
    );
    timer = setTimeout(run, delay);
    first.resolve();
  }

  function rejectAll(): void {
    const error = agentErrors.create("EVENTS_JOB_DOWN", { reason: failure ?? "it was stopped" });
    for (const each of waiting.values()) {
      clearTimeout(each.timer);
      each.reject(error);
    }
    waiting.clear();
  }

  function receive(message: FromThread): void {
    if (message.type === "log") {
      const { level, fields, message: text } = message.entry;
      log[level](fields, text);
    } else if (message.type === "report") {
      failure = undefined;
      onReport(message.report);
      first.resolve();
    } else {
      const asker = waiting.get(message.id);
      waiting.delete(message.id);
      clearTimeout(asker?.timer);
      if (message.type === "answer") asker?.resolve(message.value as never);
      else asker?.reject(errorOf(message.error));
    }
  }

  return {
    get restarts() {
      return restarts;
    },
    get failure() {
      return failure;
    },
    async start() {
      if (worker !== undefined || isStopping) return;
      failure = "it starts";
      run();
      const late = setTimeout(first.resolve, startWithinMs);
      await first.promise;
      clearTimeout(late);
    },
    configure(next) {
      config = next;
      post({ type: "configure", config: seal(next) });
    },
    call(call, ...values) {
      const done = new Promise((resolve, reject) => {
        const down = (reason: string): void => reject(agentErrors.create("EVENTS_JOB_DOWN", { reason }));
        if (worker === undefined || isStopping) return down(failure ?? "it is being stopped");
        if (waiting.size >= mostCalls) return down(`${mostCalls} requests wait for it`);
        const id = ++lastId;
        const timer = setTimeout(() => {
          waiting.delete(id);
          down(`no answer within ${callMs / 1000} s`);
        }, callMs);
        waiting.set(id, { resolve, reject, timer });
        post({ type: "call", id, call, values });
      });
      return done as never;
    },
    async stop(deadlineMs) {
      isStopping = true;
      clearTimeout(timer);
      first.resolve();
      const own = worker;
      if (own === undefined) return exited;
      post({ type: "stop", deadlineMs });
      const overdue = setTimeout(() => void own.terminate(), deadlineMs + 500);
      await exited;
      clearTimeout(overdue);
    },
  };
}

const errorOf = ({ code, message, hint }: ThreadError): Error =>
  code === undefined ? new Error(message) : new PosthouseError(code, message, { hint });
