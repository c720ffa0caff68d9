import { promisify } from "node:util";
import { gzip as gzipWithCallback } from "node:zlib";
import type { Secret } from "@posthouse/service";
import { agentErrors } from "../../core/errors.ts";
import { type BatchEntry, createDocumentBatch } from "../celery/batch.ts";
import type { ReceivedEvent } from "../celery/received-event.ts";
import { createHttpTarget, type HttpReply, type HttpTargetOptions } from "./http-target.ts";
import { entityOf, type Sink, type SinkBatch, type SinkOutcome, type SinkPart } from "./sink.ts";
import { failedOutcome, isLater, refusesError, statusReason } from "./status.ts";

export interface LeekSinkOptions extends Omit<HttpTargetOptions, "url"> {
  /** A path in it is kept: with `http://h/leek` posts go to `http://h/leek/v1/events/process`. */
  readonly apiUrl: string;
  readonly orgName: string;
  readonly appName: string;
  readonly appEnv: string;
  readonly appKey: Secret;
  /** Compress what is sent; the API itself cannot read that, a proxy before it may. */
  readonly gzip?: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const gzip = promisify(gzipWithCallback);

/** Posts documents to a Leek API, with the headers of Leek's agent, and takes an answer for what it really means. */
export function createLeekSink(options: LeekSinkOptions): Sink {
  const { appEnv, now = Date.now, gzip: isGzipped = false } = options;
  const url = processUrl(options.apiUrl);
  const target = createHttpTarget({ ...options, url });
  const headers: Readonly<Record<string, string>> = {
    "x-requested-with": "leek-agent",
    "x-agent-version": "1.0.0",
    "x-leek-org-name": options.orgName,
    "x-leek-app-name": options.appName,
    "x-leek-app-key": options.appKey.reveal(),
    "x-leek-app-env": appEnv,
  };
  const postHeaders = { ...headers, "content-type": "application/json" };
  const check = (signal: AbortSignal) => target.request({ method: "GET", headers }, signal);

  return {
    target: url.origin + url.pathname,
    createBatch: () => createLeekBatch(appEnv, now),
    async prepare(parts) {
      const body = Buffer.from(`[${parts.map(({ json }) => json).join(",")}]`);
      if (!isGzipped) return { body, headers: postHeaders, parts: parts.length };
      const packed = await gzip(body, { level: 1 });
      return { body: packed, headers: { ...postHeaders, "content-encoding": "gzip" }, parts: parts.length };
    },
    async send({ body, headers, parts }, signal) {
      const answer = await target.request({ method: "POST", headers, body }, signal);
      return answer.kind === "failure" ? failedOutcome(answer) : outcomeOf(answer, parts);
    },
    async isReady(signal) {
      const answer = await check(signal);
      return answer.kind === "reply" && answer.status === 200;
    },
    async verify(signal) {
      const up = await target.request({ method: "OPTIONS", headers }, signal);
      const values = { url: url.origin + url.pathname };
      if (up.kind === "failure")
        throw agentErrors.create("EVENTS_TARGET_UNREACHABLE", { ...values, reason: up.reason });
      const answer = up.status >= 400 ? up : await check(signal);
      if (answer.kind === "failure")
        throw agentErrors.create("EVENTS_TARGET_UNREACHABLE", { ...values, reason: answer.reason });
      if (answer.status !== 200) throw refusesError(url, answer);
      if (parse(answer.text) === undefined) throw refusesError(url, answer, notLeek(answer));
    },
    statuses: target.statuses,
    latency: target.latency,
    close: target.close,
  };
}

function processUrl(apiUrl: string): URL {
  const url = new URL(apiUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/v1/events/process`;
  url.hash = "";
  return url;
}

function outcomeOf(answer: HttpReply, parts: number): SinkOutcome {
  const { status } = answer;
  const reason = statusReason(answer);
  if (status === 200 || status === 201) return storedOutcome(answer, parts);
  if (status === 413 || status === 422) return { kind: "refused", reason, isFinal: true };
  if (status === 409) return { kind: "refused", reason, isFinal: false };
  // Without one of our headers it is not the documents that are wrong.
  if (status === 400 && !answer.text.includes("400001")) return { kind: "refused", reason, isFinal: true };
  if (isLater(status))
    return { kind: "failed", reason, retryAfterMs: answer.retryAfterMs, mayBeContent: status === 500 };
  return { kind: "held", reason };
}

/** 201 does not mean that all of it was stored. */
function storedOutcome({ status, text }: HttpReply, parts: number): SinkOutcome {
  const said = parse(text);
  if (said === "Processed")
    return { kind: "refused", reason: `${status} "Processed": not all was stored`, isFinal: false };
  const success: unknown =
    typeof said === "object" && said !== null ? (said as Record<string, unknown>).success : undefined;
  if (success === parts) return { kind: "accepted" };
  if (typeof success === "number" && success >= 0 && success < parts)
    return { kind: "refused", reason: `${status}, but ${success} of ${parts} stored`, isFinal: false };
  return { kind: "held", reason: notLeek({ status, text }) };
}

const notLeek = ({ status, text }: Pick<HttpReply, "status" | "text">): string =>
  `${status} with an answer that is not Leek's: ${text.slice(0, 80)}`;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function createLeekBatch<Event extends ReceivedEvent>(appEnv: string, now: () => number): SinkBatch<Event> {
  const documents = createDocumentBatch({ appEnv, now });
  const events: Event[] = [];
  return {
    add(event, limitBytes) {
      if (!documents.add(event.event, limitBytes, event.again)) return false;
      events.push(event);
      return true;
    },
    events,
    get bytes() {
      return documents.bytes;
    },
    parts: () => partsOf(documents.entries, events),
  };
}

/** Each document with the events that are merged in it. */
function partsOf<Event extends ReceivedEvent>(
  entries: readonly BatchEntry[],
  events: readonly Event[],
): SinkPart<Event>[] {
  const parts = entries.map(({ json }) => ({ json, events: [] as Event[] }));
  const known = new Map(entries.map(({ kind, id }, index) => [kind + id, parts[index]]));
  for (const event of events) {
    const kind = "uuid" in event.event ? "task" : "worker";
    known.get(kind + entityOf(event.event))?.events.push(event);
  }
  return parts;
}
