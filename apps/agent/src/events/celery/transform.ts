import {
  createTaskDocument,
  createWorkerDocument,
  type LeekDocument,
  type TaskDocument,
  type TaskState,
  type WorkerDocument,
  type WorkerState,
} from "./document.ts";
import {
  type CeleryEvent,
  isKnownField,
  isTaskEvent,
  type TaskEvent,
  type TaskEventType,
  type WorkerEvent,
  type WorkerEventType,
} from "./event.ts";
import { parseIsoTime } from "./iso-time.ts";
import { flattenedArguments, positionalArguments } from "./task-arguments.ts";
import { cutKeyword } from "./text-cut.ts";
import { describeTraceback } from "./traceback.ts";

type Stamp<Document> = Extract<keyof Document, `${string}_at`>;

const taskStates: Readonly<Record<TaskEventType, readonly [TaskState, Stamp<TaskDocument>]>> = {
  "task-sent": ["QUEUED", "queued_at"],
  "task-received": ["RECEIVED", "received_at"],
  "task-started": ["STARTED", "started_at"],
  "task-succeeded": ["SUCCEEDED", "succeeded_at"],
  "task-failed": ["FAILED", "failed_at"],
  "task-rejected": ["REJECTED", "rejected_at"],
  "task-revoked": ["REVOKED", "revoked_at"],
  "task-retried": ["RETRY", "retried_at"],
  "task-cancelled": ["CANCELLED", "cancelled_at"],
};
const workerStates: Readonly<Record<WorkerEventType, readonly [WorkerState, Stamp<WorkerDocument>]>> = {
  "worker-online": ["ONLINE", "online_at"],
  "worker-heartbeat": ["HEARTBEAT", "last_heartbeat_at"],
  "worker-offline": ["OFFLINE", "offline_at"],
};

export interface TransformOptions {
  readonly appEnv: string;
  /** The document's `updated_at`, milliseconds since 1970. */
  readonly now: number;
}

/** The document of one event. The event is not changed. */
export function toDocument(event: CeleryEvent, options: TransformOptions): LeekDocument {
  return isTaskEvent(event) ? toTaskDocument(event, options) : toWorkerDocument(event, options);
}

function toTaskDocument(event: TaskEvent, options: TransformOptions): TaskDocument {
  const [state, stamp] = taskStates[event.type];
  const document = createTaskDocument({ ...commonFields(event, event.uuid, options), state });
  document[stamp] = document.timestamp;
  if (state === "QUEUED") document.client = event.hostname;
  else document.worker = event.hostname;
  if (event.name !== undefined) {
    const dot = event.name.lastIndexOf(".");
    document.name = event.name;
    document.name_parts = {
      module: event.name.slice(0, Math.max(dot, 0)),
      function: event.name.slice(dot + 1),
    };
  }
  if (event.args !== undefined) setArguments(document, event.args);
  if (event.kwargs !== undefined) {
    document.kwargs = cutKeyword(event.kwargs);
    document.kwargs_flattened = flattenedArguments(event.kwargs);
  }
  if (event.result !== undefined) document.result = cutKeyword(event.result);
  document.runtime = event.runtime;
  document.root_id = event.root_id ?? undefined;
  document.parent_id = event.parent_id ?? undefined;
  document.exchange = event.exchange;
  document.routing_key = event.routing_key;
  document.queue = event.queue;
  if (event.eta) document.eta = parseIsoTime(event.eta);
  if (event.expires) document.expires = parseIsoTime(event.expires);
  document.retries = event.retries;
  document.terminated = event.terminated;
  document.expired = event.expired;
  document.signum = event.signum ?? undefined;
  document.requeue = event.requeue;
  document.exception = event.exception;
  if (event.traceback !== undefined) {
    const { traceback, lang, error, stack, trace } = describeTraceback(event.traceback, event.exception);
    document.traceback = traceback;
    document.lang = lang;
    document.error = error;
    document.stack = stack;
    document.trace = trace;
  }
  document.extra = unknownFields(event, "task");
  return document;
}

const argumentNames = [
  ...(["args_0", "args_1", "args_2", "args_3", "args_4"] as const),
  ...(["args_5", "args_6", "args_7", "args_8", "args_9"] as const),
];

function setArguments(document: TaskDocument, args: string): void {
  document.args = cutKeyword(args);
  const values = positionalArguments(args, argumentNames.length);
  for (const [index, value] of values.entries()) {
    const name = argumentNames[index];
    if (name !== undefined) document[name] = value;
  }
}

function toWorkerDocument(event: WorkerEvent, options: TransformOptions): WorkerDocument {
  const [state, stamp] = workerStates[event.type];
  const document = createWorkerDocument(
    { ...commonFields(event, event.hostname, options), state },
    {
      sw_ident: event.sw_ident,
      sw_ver: event.sw_ver,
      sw_sys: event.sw_sys,
      processed: event.processed ?? undefined,
      active: event.active ?? undefined,
      freq: event.freq,
      loadavg: event.loadavg ?? undefined,
      extra: unknownFields(event, "worker"),
    },
  );
  document[stamp] = document.timestamp;
  return document;
}

function commonFields(event: CeleryEvent, id: string, { appEnv, now }: TransformOptions) {
  return {
    id,
    app_env: appEnv,
    clock: event.clock,
    updated_at: now,
    timestamp: Math.trunc(event.timestamp * 1000),
    exact_timestamp: event.timestamp,
    utcoffset: event.utcoffset,
    pid: event.pid,
  };
}

function unknownFields(event: CeleryEvent, kind: "task" | "worker"): Record<string, unknown> | undefined {
  let extra: Record<string, unknown> | undefined;
  for (const name in event) {
    if (isKnownField(kind, name)) continue;
    extra ??= Object.create(null) as Record<string, unknown>;
    extra[name] = (event as unknown as Record<string, unknown>)[name];
  }
  return extra;
}
