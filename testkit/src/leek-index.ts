/** A document of Leek's API, by its fields' names. */
export type IndexedDocument = Readonly<Record<string, unknown>>;

/**
 * A model of what Leek's API stores, as its two stored scripts merge what agents post. Pure; the tests compare with it
 * what the agent should have brought there.
 */
export interface LeekIndex {
  /** One posted batch, document by document. Throws on a document without id or kind, as the API answers 500. */
  post(documents: readonly IndexedDocument[]): void;
  /** What is stored, without the id, which is the key. */
  readonly documents: ReadonlyMap<string, IndexedDocument>;
}

export function createLeekIndex(): LeekIndex {
  const documents = new Map<string, IndexedDocument>();
  return {
    post(batch) {
      for (const { id, ...document } of batch) {
        if (typeof id !== "string" || (document.kind !== "task" && document.kind !== "worker")) {
          throw new TypeError("a document needs an id and a kind");
        }
        const stored = documents.get(id);
        const merge = document.kind === "task" ? mergeTask : mergeWorker;
        // The first is stored as it came: no script runs.
        documents.set(id, stored === undefined ? document : (merge(id, stored, document) ?? stored));
      }
    },
    documents,
  };
}

const terminal = ["SUCCEEDED", "FAILED", "REJECTED", "REVOKED", "RECOVERED", "CRITICAL"];
const argumentFields = Array.from({ length: 10 }, (_, index) => `args_${index}`);
const descriptionFields = [
  ...[
    "name",
    "name_parts",
    "args",
    "kwargs",
    "root_id",
    "parent_id",
    "eta",
    "expires",
    "retries",
    "kwargs_flattened",
  ],
  ...argumentFields,
];
const failureFields = ["exception", "traceback", "lang", "error", "stack", "trace"];
const taskFields: Readonly<Record<string, readonly string[]>> = {
  QUEUED: ["queued_at", "exchange", "routing_key", "queue", "client"],
  RECEIVED: ["received_at"],
  STARTED: ["started_at"],
  RETRY: ["retried_at"],
  SUCCEEDED: ["succeeded_at", "result", "runtime"],
  FAILED: ["failed_at"],
  REJECTED: ["rejected_at", "requeue"],
  REVOKED: ["revoked_at", "terminated", "expired", "signum"],
};
const workerFields: typeof taskFields = {
  ONLINE: ["online_at"],
  HEARTBEAT: ["last_heartbeat_at", "processed", "active", "freq", "loadavg"],
  OFFLINE: ["offline_at"],
};
const mostEvents = 21;

/** Undefined when nothing changes. */
function mergeTask(
  id: string,
  stored: IndexedDocument,
  coming: IndexedDocument,
): IndexedDocument | undefined {
  const before = String(stored.state);
  const state = String(coming.state);
  let fields: string[];
  if (terminal.includes(state) || !stored.uuid) fields = Object.keys(coming);
  else if (terminal.includes(before)) {
    fields = [...(taskFields[state] ?? [])];
    if (state === "RETRY" && before !== "FAILED" && before !== "CRITICAL") fields.push(...failureFields);
    // What the agent had merged before it posted comes along.
    for (const early of ["QUEUED", "RECEIVED"]) {
      if (state === early || eventsOf(coming).includes(early)) {
        fields.push(...(taskFields[early] ?? []), ...descriptionFields);
      }
    }
  } else if (Number(stored.exact_timestamp) < Number(coming.exact_timestamp)) fields = Object.keys(coming);
  else if (before !== state) {
    fields = [...(taskFields[state] ?? [])];
    if (state === "RETRY") fields.push(...failureFields);
    if (["QUEUED", "RECEIVED"].includes(state) && !["QUEUED", "RECEIVED"].includes(before))
      fields.push(...descriptionFields);
  } else return undefined;
  const merged: Record<string, unknown> = { ...stored, ...picked(coming, fields) };
  if (Number(merged.retries ?? 0) > 0) {
    if (merged.state === "FAILED") merged.state = "CRITICAL";
    if (merged.state === "SUCCEEDED") merged.state = "RECOVERED";
  }
  for (const relation of ["root_id", "parent_id"]) if (merged[relation] === id) delete merged[relation];
  merged.events_count = Number(stored.events_count) + Number(coming.events_count);
  merged.events = [...eventsOf(coming), ...eventsOf(stored)].slice(0, mostEvents);
  return merged;
}

function mergeWorker(
  _: string,
  stored: IndexedDocument,
  coming: IndexedDocument,
): IndexedDocument | undefined {
  const isNewer = Number(stored.exact_timestamp) < Number(coming.exact_timestamp);
  if (!isNewer && stored.state === coming.state) return undefined;
  const fields = isNewer ? Object.keys(coming) : (workerFields[String(coming.state)] ?? []);
  const count = Number(stored.events_count) + Number(coming.events_count);
  return { ...stored, ...picked(coming, fields), events_count: count };
}

function picked(document: IndexedDocument, fields: readonly string[]): IndexedDocument {
  const present = fields.filter((field) => document[field] !== undefined && document[field] !== null);
  return Object.fromEntries(present.map((field) => [field, document[field]]));
}

function eventsOf(document: IndexedDocument): readonly string[] {
  return Array.isArray(document.events) ? document.events : [];
}
