import type { Log } from "@posthouse/service";
import type { FailureReason } from "./failure-reason.ts";
import type { ForwardLimit } from "./metrics.ts";
import type { Upstream } from "./upstream.ts";

export interface BackendFailure {
  readonly upstream: Upstream | undefined;
  readonly reason: FailureReason;
  /** The limit that struck, where one did. */
  readonly limit?: ForwardLimit | undefined;
  readonly error?: Error | undefined;
}

export type FailureLog = (failure: BackendFailure) => void;

const silenceMs = 10_000;

/**
 * Tells why backends did not answer: for each backend, reason and limit the first time, then at most every ten seconds, with the
 * number of those that were left out between.
 */
export function createFailureLog(
  log: Log,
  site: string,
  now: () => number = () => performance.now(),
): FailureLog {
  const told = new Map<string, { at: number; leftOut: number }>();
  return ({ upstream, reason, limit, error }) => {
    const address = upstream?.address.text;
    const key = `${address} ${reason} ${limit}`;
    const last = told.get(key);
    if (last !== undefined && now() - last.at < silenceMs) {
      last.leftOut += 1;
      return;
    }
    told.set(key, { at: now(), leftOut: 0 });
    const leftOut = last?.leftOut ?? 0;
    log.warn(
      { site, upstream: address, reason, limit, ...(error && { error }), ...(leftOut > 0 && { leftOut }) },
      "a backend did not answer as it should",
    );
  };
}
