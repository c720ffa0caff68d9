/**
 * Keeps a rule set in step with a Manager. The file to read first:
 *   served.ts        what is served now and what is known of it
 *   sync.ts          one check: version, load, swap, report
 *   push.ts          hears of new versions at once
 *   saver.ts         writes to the store what is served
 * Whatever fails, what was loaded goes on being served and the same is tried again, for ever.
 */
import type { RuleSet, RuleSetOptions } from "@posthouse/rules";
import { createBackoff } from "./backoff.ts";
import { checkOptions } from "./check-options.ts";
import {
  type ClientEvent,
  type ClientOptions,
  type ClientStatus,
  defaultTimeouts,
} from "./client-options.ts";
import { coded, errors, reasonOf } from "./errors.ts";
import { createHttp } from "./http.ts";
import { createManagerApi } from "./manager-api.ts";
import { runPush } from "./push.ts";
import { createReporter } from "./reporter.ts";
import { createSaver } from "./saver.ts";
import { createServed } from "./served.ts";
import { readSnapshot } from "./snapshot-reader.ts";
import { createSync } from "./sync.ts";
import { createWaker } from "./waker.ts";

export interface Client {
  /** Loads from the store, then begins to sync. Resolves when the store was read, found or not; never rejects because of the network. */
  start(): Promise<void>;
  /** Ends all requests, finishes writing to the store within the deadline. Safe without start, and twice. */
  stop(deadlineMs?: number): Promise<void>;
  /** What to match requests with; undefined until something was loaded. Take it anew for every request. */
  readonly ruleSet: RuleSet | undefined;
  readonly status: ClientStatus;
  /** Asks the Manager now. Resolves when that check ended, well or not: `status` tells. Rejects with CLIENT_NOT_RUNNING. */
  checkNow(): Promise<void>;
  /** Resolves when there is a rule set. Rejects with CLIENT_NOT_RUNNING when the client is stopped before. */
  ready(): Promise<void>;
}

/** Makes a client; nothing happens before `start()`. Throws CLIENT_OPTION_INVALID. */
export function createClient(options: ClientOptions): Client {
  checkOptions(options);
  const { manager, checkEveryMs = 300_000, push = true, store } = options;
  const timeouts = { ...defaultTimeouts, ...options.timeouts };
  const rules: RuleSetOptions = { ...options.rules, ...(options.compat && { compat: options.compat }) };
  const stopping = new AbortController();
  const { signal } = stopping;
  const abandoning = new AbortController();

  const emit = (event: ClientEvent) => {
    try {
      options.onEvent?.(event);
    } catch (error) {
      process.emitWarning(`A listener of @posthouse/client failed: ${reasonOf(error)}`);
    }
  };
  const http = createHttp(timeouts, signal);
  const api = createManagerApi(http, manager);
  const served = createServed(emit);
  const saver =
    store &&
    createSaver({
      store,
      namespace: manager.namespace,
      project: manager.project,
      signal: abandoning.signal,
      onSaved(snapshot, durationMs) {
        served.recovered("save");
        emit({ type: "saved", version: snapshot.version, durationMs });
      },
      onFailed: (error) => served.failed("save", error),
    });
  const sync = createSync({
    manager,
    rules,
    api,
    served,
    reporter: createReporter(api, options.agent),
    signal,
    emit,
    onSwap: (snapshot) => saver?.save(snapshot),
  });

  const waker = createWaker();
  const pushWaker = createWaker();
  let checkWaiters: (() => void)[] = [];
  let starting: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  let checking: Promise<void> | undefined;
  let pushing: Promise<void> | undefined;

  const readStore = async () => {
    if (store === undefined) return;
    const started = performance.now();
    try {
      const body = await store.read();
      if (body === undefined) return;
      const read = {
        what: "copy on disk",
        namespace: manager.namespace,
        project: manager.project,
        rules,
        signal,
      };
      served.swap(await readSnapshot(body, read), "disk", performance.now() - started);
    } catch (error) {
      if (signal.aborted) return;
      const wrap = (cause: unknown) =>
        errors.create("STORE_READ_FAILED", { reason: reasonOf(cause) }, { cause });
      served.failed("read", coded(error, wrap));
    }
  };

  const beginPush = () => {
    pushing ??= runPush({
      api,
      served,
      signal,
      silenceMs: timeouts.pushSilenceMs,
      refusedMs: timeouts.refusedMs,
      backoff: options.backoff ?? {},
      waker: pushWaker,
      onVersion(event) {
        // A Manager that is back is asked at once, not when the wait after the last failure is over.
        if (sync.announce(event) || served.isFailing("check")) waker.wake();
      },
    });
  };

  const keepChecking = async () => {
    const backoff = createBackoff(options.backoff);
    while (!signal.aborted) {
      const waiters = checkWaiters;
      checkWaiters = [];
      let waitMs = checkEveryMs * jitter();
      try {
        const answer = await sync.check();
        if (push && answer.sync) beginPush();
        backoff.reset();
        if (served.isFailing("check") && served.isFailing("push")) pushWaker.wake();
        for (const operation of ["check", "changes", "read"] as const) served.recovered(operation);
        saver?.retry();
      } catch (cause) {
        if (!signal.aborted) {
          const error = coded(cause, () =>
            errors.create("MANAGER_UNREACHABLE", { url: manager.url, reason: reasonOf(cause) }, { cause }),
          );
          waitMs = error.code === "MANAGER_REFUSED_TOKEN" ? timeouts.refusedMs * jitter() : backoff.next();
          served.failed("check", error, waitMs);
        }
      }
      for (const done of waiters) done();
      if (!signal.aborted) await waker.wait(waitMs);
    }
    for (const done of checkWaiters) done();
  };

  const start = async () => {
    served.started();
    await readStore();
    if (!signal.aborted) checking = keepChecking();
  };

  const stop = async (deadlineMs: number) => {
    stopping.abort(errors.create("CLIENT_NOT_RUNNING"));
    waker.wake();
    const finish = async () => {
      await starting;
      await Promise.all([checking, pushing]);
      await saver?.settled();
    };
    const over = Promise.withResolvers<void>();
    const deadline = setTimeout(over.resolve, deadlineMs);
    await Promise.race([finish(), over.promise]);
    clearTimeout(deadline);
    abandoning.abort(errors.create("CLIENT_NOT_RUNNING"));
    http.close();
  };

  return {
    start() {
      if (signal.aborted) return Promise.reject(errors.create("CLIENT_NOT_RUNNING"));
      starting ??= start();
      return starting;
    },
    stop(deadlineMs = 5_000) {
      stopped ??= stop(deadlineMs);
      return stopped;
    },
    get ruleSet() {
      return served.snapshot?.ruleSet;
    },
    get status() {
      return served.status;
    },
    async checkNow() {
      if (starting === undefined || signal.aborted) throw errors.create("CLIENT_NOT_RUNNING");
      await new Promise<void>((resolve) => {
        checkWaiters.push(resolve);
        waker.wake();
      });
    },
    async ready() {
      if (served.snapshot !== undefined) return;
      signal.throwIfAborted();
      const over = Promise.withResolvers<void>();
      const giveUp = () => over.reject(signal.reason);
      signal.addEventListener("abort", giveUp);
      await Promise.race([served.first, over.promise]).finally(() =>
        signal.removeEventListener("abort", giveUp),
      );
    },
  };
}

/** Agents that were started together shall not ask together. */
const jitter = () => 0.9 + 0.2 * Math.random();
