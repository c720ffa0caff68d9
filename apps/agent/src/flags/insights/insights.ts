/**
 * Insights: what SDKs report of evaluations and metrics. They are taken into a queue on disk and, as the configuration
 * says, forwarded to FeatBit or kept. Nothing here keeps the agent from starting or from serving flags.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createBackoff } from "@posthouse/client";
import type { Log, Part } from "@posthouse/service";
import type { InsightsConfig } from "../../config/insights.ts";
import type { Exchange } from "../../http/exchange.ts";
import type { FlagStore } from "../../replica/featbit/flag-store.ts";
import { createSpool, type Spool } from "../../spool/spool.ts";
import type { Route } from "../router.ts";
import { createDelivery } from "./delivery.ts";
import { createForwarder, type Forwarder } from "./forwarder.ts";
import { createIntake } from "./intake.ts";
import { answerNotKept, createKept, type Kept } from "./kept.ts";
import type { InsightMetrics } from "./metrics.ts";

export interface Insights extends Part {
  /** `POST /api/public/insight/track`. */
  readonly track: Route;
  /** Where its queues are, one directory each. */
  readonly spools: string;
  /** Answers with the events that are kept, those after a position. */
  export(exchange: Exchange, after: number): void;
  /** Goes on with other settings. What another mode has queued stays on disk until that mode is back. */
  configure(config: InsightsConfig): void;
  /** For `/status`. Holds no keys. */
  status(): object;
}

export interface InsightsOptions {
  readonly spools: string;
  readonly store: FlagStore;
  readonly metrics: InsightMetrics;
  readonly log: Log;
}

/** A queue with what empties it. */
interface Lane {
  readonly key: string;
  readonly mode: InsightsConfig["mode"];
  readonly spool: Spool;
  readonly forwarder: Forwarder | undefined;
  readonly kept: Kept | undefined;
  /** Its queue was opened, or could not be for now. */
  readonly opened: Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

const directories = { forward: "insights", keep: "insights-kept" } as const;
const memoryBytes = 8 * 2 ** 20;
const handoverMs = 5_000;

export function createInsights(first: InsightsConfig, options: InsightsOptions): Insights {
  const { spools, store, metrics, log } = options;
  let config = first;
  let lane: Lane | undefined;
  let isOn = false;
  let change: Promise<void> = Promise.resolve();

  const keyOf = ({ mode, queue }: InsightsConfig): string => (mode === "drop" ? mode : `${mode} ${queue}`);

  function openLane(mode: keyof typeof directories): Lane {
    const directory = join(spools, directories[mode]);
    const spool = createSpool({ directory, maxBytes: config.queue, memoryBytes, log });
    const delivery = createDelivery();
    const settings = (): InsightsConfig => config;
    const shared = { spool, config: settings, metrics, log };
    const forwarder = mode === "forward" ? createForwarder({ ...shared, delivery }) : undefined;
    const kept = mode === "keep" ? createKept(shared) : undefined;
    const stopping = new AbortController();
    const cut = new AbortController();
    const first = Promise.withResolvers<void>();
    const running = (async () => {
      await openSpool(spool, stopping.signal, first.resolve);
      await (forwarder?.run(stopping.signal, cut.signal) ?? kept?.run(stopping.signal));
    })();
    return {
      key: keyOf(config),
      mode,
      spool,
      forwarder,
      kept,
      opened: first.promise,
      async stop(deadlineMs) {
        stopping.abort();
        const timer = setTimeout(() => cut.abort(), deadlineMs / 2);
        await running;
        clearTimeout(timer);
        await delivery.close();
        await spool.stop(deadlineMs / 2);
      },
    };
  }

  /** Tries until it works: another process may have the queue for a moment, or the disk be away. */
  async function openSpool(spool: Spool, signal: AbortSignal, tried: () => void): Promise<void> {
    const backoff = createBackoff({ firstMs: 500, maxMs: 30_000 });
    for (let isTold = false; !signal.aborted; isTold = true) {
      try {
        await spool.start();
        return tried();
      } catch (error) {
        tried();
        if (!isTold) log.error({ error }, "insights cannot be taken yet");
        await sleep(backoff.next(), undefined, { signal }).catch(() => {});
      }
    }
  }

  /** Brings the lane in line with the settings, after changes before. */
  function settleLane(deadlineMs: number = handoverMs): Promise<void> {
    change = change.then(async () => {
      if (isOn && lane?.key === keyOf(config)) return;
      const old = lane;
      lane = undefined;
      await old
        ?.stop(deadlineMs)
        .catch((error: unknown) => log.warn({ error }, "insights did not stop cleanly"));
      if (isOn && config.mode !== "drop") lane = openLane(config.mode);
    });
    return change;
  }

  return {
    name: "insights",
    track: createIntake({
      config: () => config,
      spool: () => (lane?.mode === config.mode ? lane.spool : undefined),
      store,
      metrics,
      log,
    }),
    spools,
    export(exchange, after) {
      const kept = lane?.kept;
      if (kept === undefined) answerNotKept(exchange);
      else
        void kept
          .send(exchange, after)
          .catch((error: unknown) => log.error({ error }, "insights could not be sent"));
    },
    configure(next) {
      const isElsewhere = next.event_uri !== config.event_uri;
      config = next;
      if (isElsewhere) lane?.forwarder?.retry();
      void settleLane();
    },
    status() {
      const queue = lane?.spool.gauges();
      return {
        mode: config.mode,
        queue: queue && {
          events: queue.records,
          bytes: queue.bytes,
          ageSeconds: Math.round(queue.oldestAgeMs / 1000),
          isFull: lane?.spool.isFull,
        },
        ...lane?.forwarder?.status(),
      };
    },
    async start() {
      isOn = true;
      metrics.readQueue = () => lane?.spool.gauges();
      metrics.readHeld = () => lane?.forwarder?.held ?? 0;
      await settleLane();
      await lane?.opened;
    },
    async stop(deadlineMs) {
      isOn = false;
      await settleLane(deadlineMs);
    },
  };
}
