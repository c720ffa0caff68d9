/**
 * The flags job: a source that keeps the agent's copy in step, and the listener to which SDKs connect. It lives as long
 * as the configuration has `flags`: the copy and the sockets outlive every reload, the source those that leave its
 * settings alone.
 */
import { join } from "node:path";
import type { Log, Part } from "@posthouse/service";
import type { FlagsConfig } from "../config/flags.ts";
import type { JobHealth } from "../core/health.ts";
import type { ExchangeHandler } from "../http/exchange.ts";
import { createFlagSource, type FlagSource, flagSourceKey } from "../replica/featbit/flag-source.ts";
import { createFlagStore } from "../replica/featbit/flag-store.ts";
import { createInsights, type Insights } from "./insights/insights.ts";
import { createFlagsListener, type FlagsListener } from "./listener.ts";
import type { FlagMetrics } from "./metrics.ts";
import { describeFlags } from "./status.ts";

export interface FlagsJob {
  /** In the order of starting. */
  readonly parts: readonly Part[];
  readonly source: FlagSource;
  readonly listener: FlagsListener;
  readonly insights: Insights;
  readonly handler: ExchangeHandler;
  readonly health: JobHealth;
  /** For `/status`. */
  status(): object;
  /** From now on these settings hold. */
  activate(): void;
}

export interface FlagsJobOptions {
  readonly config: FlagsConfig;
  readonly agentName: string;
  /** The state directory. */
  readonly state: string;
  readonly metrics: FlagMetrics;
  readonly log: Log;
}

export function createFlagsJob(options: FlagsJobOptions, old?: FlagsJob): FlagsJob {
  const { config, metrics, log } = options;
  const listener =
    old?.listener ?? createFlagsListener(config, { store: createFlagStore({ log }), metrics, log });
  const { store } = listener;
  const source =
    old?.source.key === flagSourceKey(options) ? old.source : createFlagSource({ ...options, store });
  const spools = join(options.state, "spool");
  const insights =
    old?.insights.spools === spools
      ? old.insights
      : createInsights(config.insights, { spools, store, metrics: metrics.insights, log });
  return {
    parts: [source, insights, listener],
    source,
    listener,
    insights,
    handler: listener.handler,
    health: {
      job: "flags",
      unready: () => (store.isPopulated ? undefined : "no flags yet"),
      checked: () => [{ name: "flags", at: store.syncedAt }],
    },
    status: () => ({ ...describeFlags(source, listener), insights: insights.status() }),
    activate() {
      insights.configure(config.insights);
      listener.configure(config, source, insights.track);
    },
  };
}
