/** Mode `auto`: keeps the flags in step with FeatBit, for ever. Nothing that FeatBit does or does not do ends it. */
import { setTimeout as sleep } from "node:timers/promises";
import { type BackoffOptions, createBackoff } from "@posthouse/client";
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import type { Log, Part } from "@posthouse/service";
import { statusReport } from "./agent-messages.ts";
import type { FlagStore } from "./flag-store.ts";
import { register } from "./registration.ts";
import type { UpstreamAddress } from "./upstream-address.ts";
import { createUpstreamCounters, type UpstreamCounters } from "./upstream-counters.ts";
import { openSession, type Session, type SessionTiming } from "./upstream-session.ts";

/** As FeatBit's portal knows it (1.5). */
export type SyncState = "None" | "Starting" | "Stable" | "Interrupted" | "Stopped";

/** What FeatBit's portal is told (1.5). The fields stand in its order. */
export interface RelayStatus {
  readonly serves: string;
  readonly dataVersion: number;
  readonly syncState: SyncState;
  readonly lastSyncedAt: string | null;
  readonly reportedAt: string;
}

export interface Upstream extends Part {
  readonly syncState: SyncState;
  readonly status: UpstreamStatus;
}

export interface UpstreamStatus {
  readonly address: string;
  readonly connected: boolean;
  readonly connectedAt: Date | undefined;
  /** The id under which FeatBit knows the agent; undefined while it is not registered. */
  readonly agentId: string | undefined;
  /** What fails now; empty while all is well. */
  readonly failures: readonly UpstreamFailure[];
  readonly counters: UpstreamCounters;
}

export interface UpstreamFailure {
  readonly operation: "register" | "connect";
  readonly code: string;
  readonly message: string;
  readonly since: Date;
  readonly at: Date;
  readonly retryInMs: number;
}

export interface UpstreamOptions {
  readonly upstream: UpstreamAddress;
  readonly agentId: string;
  readonly store: FlagStore;
  readonly maxPayload: number;
  readonly log: Log;
  readonly timing: UpstreamTiming;
  relayStatus(): RelayStatus;
}

export interface UpstreamTiming extends SessionTiming {
  readonly backoff: Partial<BackoffOptions>;
  /** After a refusal. */
  readonly refusedMs: number;
  /** A connection that stood for so long was a good one: the next wait is short again. */
  readonly steadyMs: number;
}

export const upstreamTiming: Omit<UpstreamTiming, "pingMs" | "fullSyncMs"> = {
  handshakeMs: 10_000,
  statusMs: 60_000,
  soonMs: 10_000,
  // The first attempt comes within half a second, each at its own moment.
  backoff: { firstMs: 500, maxMs: 60_000, jitter: 1 },
  refusedMs: 240_000,
  steadyMs: 15_000,
};

export function createUpstream(options: UpstreamOptions): Upstream {
  const { upstream, store, log, timing } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const counters = createUpstreamCounters();
  const failures = new Map<UpstreamFailure["operation"], UpstreamFailure>();
  let syncState: SyncState = "None";
  let agentId: string | undefined;
  let connectedAt: Date | undefined;
  let session: Session | undefined;
  let running: Promise<unknown> | undefined;

  function failed(operation: UpstreamFailure["operation"], error: PosthouseError, retryInMs: number): void {
    const { code, message } = error;
    const known = failures.get(operation);
    const at = new Date();
    failures.set(operation, { operation, code, message, since: known?.since ?? at, at, retryInMs });
    const fields = { error, retryInMs, serving: store.state.dataVersion };
    if (known?.message === message) log.debug(fields, "still not in step with FeatBit");
    else log.warn(fields, "not in step with FeatBit; it is tried again");
  }

  function recovered(operation: UpstreamFailure["operation"]): void {
    if (failures.delete(operation)) log.info({ operation }, "FeatBit answers again");
  }

  async function keepRegistering(): Promise<void> {
    const backoff = createBackoff(timing.backoff);
    while (!signal.aborted) {
      try {
        agentId = await register(upstream, options.agentId, signal);
        recovered("register");
        log.info({ agentId }, "registered with FeatBit");
        session?.reportStatus();
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isPosthouseError(error)) throw error;
        const isRefused = error.code === "FEATBIT_REFUSED";
        const retryInMs = isRefused ? vary(timing.refusedMs) : backoff.next();
        failed("register", error, retryInMs);
        await pause(retryInMs);
      }
    }
  }

  async function keepConnected(): Promise<void> {
    const backoff = createBackoff(timing.backoff);
    while (!signal.aborted) {
      const began = performance.now();
      session = open();
      const end = await session.ended;
      session = undefined;
      connectedAt = undefined;
      if (signal.aborted) return;
      if (end === undefined) {
        log.info(
          {},
          "FeatBit has more environments for this agent; connecting anew to hear of their changes",
        );
        continue;
      }
      syncState = "Interrupted";
      if (performance.now() - began >= timing.steadyMs) backoff.reset();
      const retryInMs = end.isRefused ? vary(timing.refusedMs) : Math.max(backoff.next(), end.retryAfterMs);
      failed("connect", end.error, retryInMs);
      await pause(retryInMs);
    }
  }

  function open(): Session {
    return openSession({
      upstream,
      store,
      counters,
      timing,
      maxPayload: options.maxPayload,
      signal,
      log,
      onConnected() {
        connectedAt = new Date();
      },
      onSynced() {
        if (syncState !== "Stable") log.info({ version: store.state.dataVersion }, "in step with FeatBit");
        syncState = "Stable";
        recovered("connect");
      },
      onInterrupted() {
        syncState = "Interrupted";
      },
      statusMessage: () => (agentId === undefined ? undefined : statusReport(agentId, options.relayStatus())),
    });
  }

  const pause = (ms: number): Promise<unknown> => sleep(ms, undefined, { signal }).catch(() => {});

  return {
    name: "FeatBit",
    get syncState() {
      return syncState;
    },
    get status() {
      return {
        address: upstream.address,
        connected: connectedAt !== undefined,
        connectedAt,
        agentId,
        failures: [...failures.values()],
        counters,
      };
    },
    async start() {
      if (signal.aborted) return;
      syncState = "Starting";
      running = Promise.all([keepRegistering(), keepConnected()]);
      running.catch((error) => log.error({ error }, "keeping in step with FeatBit failed"));
    },
    async stop() {
      if (syncState !== "None") syncState = "Stopped";
      stopping.abort();
      session?.close();
      await running?.catch(() => {});
    },
  };
}

/** Between half and the whole: agents that were refused together do not come back together. */
const vary = (ms: number): number => Math.round(ms * (1 - 0.5 * Math.random()));
