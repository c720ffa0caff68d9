/**
 * What Leek holds of a task or worker when its events arrived one by one, each once: the documents of a single event are
 * written down here anew, so that agent and model do not err alike.
 */
import { createLeekIndex, type IndexedDocument } from "../leek-index.ts";
import type { SentEvent } from "./traffic.ts";
import { entityOf } from "./traffic.ts";

const states: Readonly<Record<string, readonly [state: string, stamp: string]>> = {
  "task-sent": ["QUEUED", "queued_at"],
  "task-received": ["RECEIVED", "received_at"],
  "task-started": ["STARTED", "started_at"],
  "task-succeeded": ["SUCCEEDED", "succeeded_at"],
  "task-failed": ["FAILED", "failed_at"],
  "task-rejected": ["REJECTED", "rejected_at"],
  "task-revoked": ["REVOKED", "revoked_at"],
  "task-retried": ["RETRY", "retried_at"],
  "worker-online": ["ONLINE", "online_at"],
  "worker-heartbeat": ["HEARTBEAT", "last_heartbeat_at"],
  "worker-offline": ["OFFLINE", "offline_at"],
};

/** Undefined: nothing arrived. */
export function modelOf(events: readonly SentEvent[], appEnv: string): IndexedDocument | undefined {
  const index = createLeekIndex();
  for (const event of events) index.post([documentOf(event, appEnv)]);
  const [first] = events;
  return first === undefined ? undefined : index.documents.get(entityOf(first));
}

function documentOf(event: SentEvent, appEnv: string): IndexedDocument {
  const { type, timestamp, hostname, eta: _eta, expires: _expires, ...rest } = event;
  const [state = "", stamp = ""] = states[type] ?? [];
  const ms = Math.trunc(timestamp * 1000);
  const isTask = type.startsWith("task-");
  const document: Record<string, unknown> = {
    ...rest,
    id: entityOf(event),
    app_env: appEnv,
    kind: isTask ? "task" : "worker",
    state,
    timestamp: ms,
    exact_timestamp: timestamp,
    [stamp]: ms,
    events_count: 1,
    ...(isTask ? { events: [state], [state === "QUEUED" ? "client" : "worker"]: hostname } : { hostname }),
    ...(rest.name === undefined ? {} : described(rest)),
    ...(rest.traceback === undefined ? {} : failed(rest)),
  };
  for (const [key, value] of Object.entries(document)) if (value === null) delete document[key];
  return document;
}

/** Of arguments as `traffic.ts` writes them. */
function described({ name, args, kwargs }: Readonly<Record<string, unknown>>): IndexedDocument {
  const [, number = "", text = ""] = /^\((\d+), '(.*)'\)$/u.exec(String(args)) ?? [];
  const [, note = ""] = /^\{'note': '(.*)', 'n': \d+\}$/u.exec(String(kwargs)) ?? [];
  const dot = String(name).lastIndexOf(".");
  return {
    name_parts: { module: String(name).slice(0, dot), function: String(name).slice(dot + 1) },
    args_0: number,
    args_1: text.replace("\\t", "\t"),
    kwargs_flattened: { note: note.replace("\\t", "\t"), n: Number(number) },
  };
}

function failed({ traceback }: Readonly<Record<string, unknown>>): IndexedDocument {
  const text = String(traceback);
  const [, type = "", message = ""] = /\n([\w.]+): ([^\n]*)$/.exec(text) ?? [];
  return { lang: "python", error: { type, message }, stack: [], trace: { raw: text, text, wc: text } };
}
