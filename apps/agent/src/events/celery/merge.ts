import type { LeekDocument, TaskDocument, TaskState, WorkerDocument, WorkerState } from "./document.ts";

/**
 * How Leek's agent makes one document of two about the same task or worker, before they are sent. The order of arrival
 * counts: `stored` was first. Neither is changed. Null never replaces a value.
 */
export function mergeDocuments(stored: LeekDocument, coming: LeekDocument): LeekDocument {
  if (stored.kind === "task" && coming.kind === "task") return mergeTasks(stored, coming);
  if (stored.kind === "worker" && coming.kind === "worker") return mergeWorkers(stored, coming);
  throw new TypeError("a task and a worker are no one document");
}

type TaskField = keyof TaskDocument;

const terminal: ReadonlySet<TaskState> = new Set([
  ...(["SUCCEEDED", "FAILED", "REJECTED", "REVOKED", "RECOVERED", "CRITICAL"] as const),
]);
const description: readonly TaskField[] = [
  ...(["name", "name_parts", "args", "kwargs", "root_id", "parent_id", "eta", "expires", "retries"] as const),
  ...([
    "args_0",
    "args_1",
    "args_2",
    "args_3",
    "args_4",
    "args_5",
    "args_6",
    "args_7",
    "args_8",
    "args_9",
  ] as const),
  "kwargs_flattened",
];
const failure: readonly TaskField[] = ["exception", "traceback", "lang", "error", "stack", "trace"];
/** What an event that came too late may still add. */
const late: Readonly<Record<TaskState, readonly TaskField[]>> = {
  QUEUED: ["queued_at", "exchange", "routing_key", "queue", "client"],
  RECEIVED: ["received_at"],
  STARTED: ["started_at"],
  RETRY: ["retried_at"],
  SUCCEEDED: ["succeeded_at", "result", "runtime"],
  FAILED: ["failed_at"],
  REJECTED: ["rejected_at", "requeue"],
  REVOKED: ["revoked_at", "terminated", "expired", "signum"],
  CANCELLED: ["cancelled_at"],
  RECOVERED: [],
  CRITICAL: [],
};
/** So many events are remembered by name, and the latest besides. */
const rememberedEvents = 20;

/** Leek takes all of such a document, whatever it has. */
export function isTerminal(document: LeekDocument): boolean {
  return document.kind === "task" && terminal.has(document.state);
}

function mergeTasks(stored: TaskDocument, coming: TaskDocument): TaskDocument {
  const merged: TaskDocument = { ...stored };
  const { state } = coming;
  const describes = state === "QUEUED" || state === "RECEIVED";
  if (terminal.has(state)) overwrite(merged, coming);
  else if (terminal.has(stored.state)) {
    take(merged, coming, late[state]);
    if (describes) take(merged, coming, description);
    if (state === "RETRY" && stored.state !== "FAILED" && stored.state !== "CRITICAL")
      take(merged, coming, failure);
  } else if (stored.exact_timestamp < coming.exact_timestamp) overwrite(merged, coming);
  else if (stored.state !== state) {
    take(merged, coming, late[state]);
    if (describes && stored.state !== "QUEUED" && stored.state !== "RECEIVED")
      take(merged, coming, description);
    if (state === "RETRY") take(merged, coming, failure);
  }
  if (merged.retries) {
    if (merged.state === "FAILED") merged.state = "CRITICAL";
    else if (merged.state === "SUCCEEDED") merged.state = "RECOVERED";
  }
  if (merged.root_id === merged.id) merged.root_id = undefined;
  if (merged.parent_id === merged.id) merged.parent_id = undefined;
  merged.events = [...coming.events, ...stored.events.slice(0, rememberedEvents)];
  merged.events_count = stored.events_count + coming.events_count;
  merged.extra = mergeExtra(stored, coming);
  return merged;
}

const lateOfWorker: Readonly<Record<WorkerState, readonly (keyof WorkerDocument)[]>> = {
  ONLINE: ["online_at"],
  HEARTBEAT: ["last_heartbeat_at", "processed", "active", "freq", "loadavg"],
  OFFLINE: ["offline_at"],
};

function mergeWorkers(stored: WorkerDocument, coming: WorkerDocument): WorkerDocument {
  const merged: WorkerDocument = { ...stored };
  if (stored.exact_timestamp < coming.exact_timestamp) overwrite(merged, coming);
  else if (stored.state !== coming.state) take(merged, coming, lateOfWorker[coming.state]);
  merged.events_count = stored.events_count + coming.events_count;
  merged.extra = mergeExtra(stored, coming);
  return merged;
}

function overwrite<Document extends object>(into: Document, from: Document): void {
  for (const field in from) if (from[field] !== undefined) into[field] = from[field];
}

function take<Document extends object>(
  into: Document,
  from: Document,
  fields: readonly (keyof Document)[],
): void {
  for (const field of fields) if (from[field] !== undefined) into[field] = from[field];
}

/** Fields that nobody knows have no rules: what came last counts. */
function mergeExtra(stored: LeekDocument, coming: LeekDocument): LeekDocument["extra"] {
  if (stored.extra === undefined || coming.extra === undefined) return coming.extra ?? stored.extra;
  return Object.assign(Object.create(null), stored.extra, coming.extra);
}
