import type { VersionEvent } from "@posthouse/protocol";
import type { BackoffOptions } from "./backoff.ts";
import { createBackoff } from "./backoff.ts";
import { coded, errors, reasonOf } from "./errors.ts";
import type { ManagerApi } from "./manager-api.ts";
import type { Served } from "./served.ts";
import type { Waker } from "./waker.ts";

/** The push connection: opened again for ever, each time after a longer wait, until the signal is aborted. */
export interface PushOptions {
  readonly api: ManagerApi;
  readonly served: Served;
  readonly signal: AbortSignal;
  readonly silenceMs: number;
  readonly refusedMs: number;
  readonly backoff: Partial<BackoffOptions>;
  /** Cuts the wait before the next attempt short. */
  readonly waker: Waker;
  readonly onVersion: (event: VersionEvent) => void;
}

/** A connection that stood for so long was a good one: the next wait is short again. */
const steadyMs = 15_000;

/** Resolves after the signal was aborted; never rejects. */
export async function runPush(options: PushOptions): Promise<void> {
  const { api, served, signal, waker } = options;
  const backoff = createBackoff(options.backoff);
  const wake = () => waker.wake();
  signal.addEventListener("abort", wake);
  while (!signal.aborted) {
    let openedAt = Infinity;
    let retryInMs = 0;
    try {
      await api.events(
        options.silenceMs,
        () => {
          openedAt = performance.now();
          served.connected(true);
          served.recovered("push");
        },
        options.onVersion,
      );
      if (performance.now() - openedAt >= steadyMs) backoff.reset();
      retryInMs = backoff.next();
    } catch (cause) {
      if (signal.aborted) break;
      if (performance.now() - openedAt >= steadyMs) backoff.reset();
      const error = coded(cause, () =>
        errors.create(
          "MANAGER_ANSWER_UNUSABLE",
          { url: "The push stream", reason: reasonOf(cause) },
          { cause },
        ),
      );
      retryInMs = error.code === "MANAGER_REFUSED_TOKEN" ? options.refusedMs : backoff.next();
      served.failed("push", error, retryInMs);
    }
    served.connected(false);
    await waker.wait(retryInMs);
  }
  signal.removeEventListener("abort", wake);
  served.connected(false);
}
