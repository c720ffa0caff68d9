import type { SiteLimits } from "../config/site-limits.ts";
import type { Door } from "./door.ts";
import type { ExchangeHandler } from "./exchange.ts";
import type { HttpCounters } from "./http-metrics.ts";

/** What a listener does at the moment. */
export interface ServerRole {
  readonly handler: ExchangeHandler;
  readonly counters: HttpCounters;
  /** What connections pass first. */
  readonly door?: Door | undefined;
  readonly limits?: SiteLimits | undefined;
}
