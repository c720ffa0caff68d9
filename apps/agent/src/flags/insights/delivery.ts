/** One request with events to FeatBit, and what its answer means for them. */
import type { Agent } from "undici";

/**
 *  - `taken`: they are FeatBit's now.
 *  - `unreadable`: FeatBit cannot read these events; fewer of them it may.
 *  - `key_refused`: not with this key, though others may work.
 *  - `misdirected`: it is not FeatBit that answers, or not where it takes events.
 *  - `later`: nobody answers, or not now. `key_later`: not for this key now.
 */
export type DeliveryResult = "taken" | "unreadable" | "key_refused" | "misdirected" | "later" | "key_later";

export interface DeliveryOutcome {
  readonly result: DeliveryResult;
  /** Of the answer, if there was one. */
  readonly status?: number;
  /** What is wrong, in words. */
  readonly reason: string;
  /** What the answer asks for. */
  readonly retryAfterMs?: number | undefined;
}

export interface Delivery {
  /** `events` is JSON. Never rejects. */
  post(eventUri: string, key: string, events: string, signal: AbortSignal): Promise<DeliveryOutcome>;
  /** Leaves no connection. */
  close(): Promise<void>;
}

/** Requests at once. */
export const maxDeliveries = 4;
const connectMs = 5_000;
const answerMs = 15_000;
const maxAnswerBytes = 64 * 1024;
const longestRetryAfterMs = 600_000;

export function createDelivery(): Delivery {
  let agent: Agent | undefined;

  /** Not before there is something to post: it takes four megabytes. */
  async function loaded() {
    const undici = await import("undici");
    agent ??= new undici.Agent({
      connections: maxDeliveries,
      connect: { timeout: connectMs },
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
      keepAliveTimeout: 30_000,
    });
    return { request: undici.request, dispatcher: agent };
  }

  return {
    async post(eventUri, key, events, signal) {
      try {
        const { request, dispatcher } = await loaded();
        const { statusCode, headers, body } = await request(trackUrl(eventUri), {
          dispatcher,
          method: "POST",
          headers: {
            authorization: key,
            "content-type": "application/json",
            "user-agent": "featbit-agent (posthouse)",
          },
          body: events,
          signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs + connectMs)]),
        });
        await body.dump({ limit: maxAnswerBytes }).catch(() => {});
        const retryAfter = headers["retry-after"];
        return {
          result: resultOf(statusCode),
          status: statusCode,
          reason: `status ${statusCode}`,
          retryAfterMs: parseRetryAfter(Array.isArray(retryAfter) ? retryAfter[0] : retryAfter),
        };
      } catch (error) {
        return { result: "later", reason: reasonOf(error) };
      }
    },
    close: async () => agent?.destroy(),
  };
}

/** Where an evaluation server takes events (2.7). */
export function trackUrl(eventUri: string): string {
  return `${eventUri.replace(/\/+$/, "")}/api/public/insight/track`;
}

function resultOf(status: number): DeliveryResult {
  if (status >= 200 && status < 300) return "taken";
  if ([400, 411, 413, 415, 422].includes(status)) return "unreadable";
  if (status === 401 || status === 403) return "key_refused";
  if (status === 429) return "key_later";
  if (status >= 500 || status === 408 || status === 425) return "later";
  return "misdirected";
}

/** Milliseconds from Retry-After, as seconds or as a date (RFC 9110, 10.2.3); at most ten minutes. */
export function parseRetryAfter(text: string | undefined, now: number = Date.now()): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), longestRetryAfterMs);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  return error.message === "" ? (code ?? error.name) : error.message;
}
