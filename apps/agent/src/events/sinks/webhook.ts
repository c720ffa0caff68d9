import { createHmac, hash } from "node:crypto";
import { promisify } from "node:util";
import { gzip as gzipWithCallback } from "node:zlib";
import type { Secret } from "@posthouse/service";
import { agentErrors } from "../../core/errors.ts";
import type { ReceivedEvent } from "../celery/received-event.ts";
import { createHttpTarget, type HttpTargetOptions } from "./http-target.ts";
import type { Sink, SinkBatch, SinkOutcome, SinkPart, SinkRequest } from "./sink.ts";
import { failedOutcome, isLater, refusesError, statusReason } from "./status.ts";

export interface WebhookSinkOptions extends Omit<HttpTargetOptions, "url"> {
  readonly url: string;
  /** json: a list. ndjson: an event per line. */
  readonly format?: "json" | "ndjson";
  /** Signs each request; without it none is signed. */
  readonly secret?: Secret | undefined;
  readonly gzip?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const gzip = promisify(gzipWithCallback);

/**
 * Posts events as they were sent, each as `{"id": …, "event": {…}}`; any status from 200 to 299 takes them all.
 *
 * - `idempotency-key`: of these events in this order; the same however often they are sent.
 * - `posthouse-signature: t=SECONDS,v1=HEX`: HMAC-SHA-256 with the secret over `SECONDS.` and the bytes of the body as
 *   they are sent, compressed ones if they are. Made anew for each attempt.
 */
export function createWebhookSink(options: WebhookSinkOptions): Sink {
  const { format = "json", secret, gzip: isGzipped = false, now = Date.now } = options;
  const url = new URL(options.url);
  const target = createHttpTarget({ ...options, url });
  const contentType = format === "json" ? "application/json" : "application/x-ndjson";

  async function prepare<Event extends ReceivedEvent>(
    parts: readonly SinkPart<Event>[],
  ): Promise<SinkRequest> {
    const lines = parts.map(({ json }) => json);
    const text = format === "json" ? `[${lines.join(",")}]` : lines.map((line) => `${line}\n`).join("");
    const ids = parts.flatMap(({ events }) => events.map(({ id }) => id)).join();
    const body = Buffer.from(text);
    const headers = {
      "user-agent": "posthouse",
      "content-type": contentType,
      "idempotency-key": hash("sha256", ids, "base64url").slice(0, 22),
    };
    if (!isGzipped) return { body, headers, parts: parts.length };
    const packed = await gzip(body, { level: 1 });
    return { body: packed, headers: { ...headers, "content-encoding": "gzip" }, parts: parts.length };
  }

  function post({ body, headers }: SinkRequest, signal: AbortSignal) {
    const signed =
      secret === undefined
        ? headers
        : { ...headers, "posthouse-signature": signature(secret, Math.floor(now() / 1000), body) };
    return target.request({ method: "POST", headers: signed, body }, signal);
  }

  return {
    target: url.origin + url.pathname,
    createBatch: () => createEventBatch(),
    prepare,
    async send(request, signal): Promise<SinkOutcome> {
      const answer = await post(request, signal);
      if (answer.kind === "failure") return failedOutcome(answer);
      const { status, retryAfterMs } = answer;
      const reason = statusReason(answer);
      if (status >= 200 && status < 300) return { kind: "accepted" };
      if (status === 400 || status === 413 || status === 422)
        return { kind: "refused", reason, isFinal: true };
      if (status === 409) return { kind: "refused", reason, isFinal: false };
      if (isLater(status)) return { kind: "failed", reason, retryAfterMs, mayBeContent: status === 500 };
      return { kind: "held", reason };
    },
    isReady: () => Promise.resolve(undefined),
    /** Sends a request without events. */
    async verify(signal) {
      const answer = await post(await prepare([]), signal);
      const values = { url: url.origin + url.pathname };
      if (answer.kind === "failure")
        throw agentErrors.create("EVENTS_TARGET_UNREACHABLE", { ...values, reason: answer.reason });
      if (answer.status < 200 || answer.status > 299) throw refusesError(url, answer);
    },
    statuses: target.statuses,
    latency: target.latency,
    close: target.close,
  };
}

function signature(secret: Secret, seconds: number, body: Uint8Array): string {
  const mac = createHmac("sha256", secret.reveal()).update(`${seconds}.`).update(body).digest("hex");
  return `t=${seconds},v1=${mac}`;
}

function createEventBatch<Event extends ReceivedEvent>(): SinkBatch<Event> {
  const events: Event[] = [];
  const parts: SinkPart<Event>[] = [];
  let bytes = 2;
  return {
    add(event, limitBytes) {
      const json = `{"id":"${event.id}","event":${JSON.stringify(event.event)}}`;
      const grown = bytes + Buffer.byteLength(json) + 1;
      if (grown > limitBytes && events.length > 0) return false;
      bytes = grown;
      events.push(event);
      parts.push({ json, events: [event] });
      return true;
    },
    events,
    get bytes() {
      return bytes;
    },
    parts: () => parts,
  };
}
