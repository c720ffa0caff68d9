import { parseIsoTime } from "./iso-time.ts";
import { describePoison, type PoisonReason } from "./poison.ts";

/**
 * One of Celery's events, valid: exactly the JSON object that was sent, not to be changed. Times are seconds since 1970.
 * Fields that Celery does not know are in it only where they are carried.
 */
export type CeleryEvent = TaskEvent | WorkerEvent;

interface EventFields {
  readonly hostname: string;
  readonly timestamp: number;
  readonly utcoffset: number;
  readonly pid: number;
  readonly clock: number;
}

export type TaskEventType =
  | "task-sent"
  | "task-received"
  | "task-started"
  | "task-succeeded"
  | "task-failed"
  | "task-rejected"
  | "task-revoked"
  | "task-retried"
  | "task-cancelled";

export type WorkerEventType = "worker-online" | "worker-heartbeat" | "worker-offline";

export interface TaskEvent extends EventFields {
  readonly type: TaskEventType;
  readonly uuid: string;
  readonly name?: string;
  /** Python's repr, perhaps cut off; `kwargs` too. */
  readonly args?: string;
  readonly kwargs?: string;
  readonly root_id?: string | null;
  readonly parent_id?: string | null;
  /** ISO 8601. */
  readonly eta?: string | null;
  readonly expires?: string | null;
  readonly retries?: number;
  readonly exchange?: string;
  readonly routing_key?: string;
  readonly queue?: string;
  readonly result?: string;
  readonly runtime?: number;
  readonly exception?: string;
  readonly traceback?: string;
  readonly terminated?: boolean;
  readonly expired?: boolean;
  readonly requeue?: boolean;
  readonly signum?: number | string | null;
}

export interface WorkerEvent extends EventFields {
  readonly type: WorkerEventType;
  readonly freq: number;
  readonly sw_ident: string;
  readonly sw_ver: string;
  readonly sw_sys: string;
  readonly active?: number | null;
  readonly processed?: number | null;
  readonly loadavg?: readonly unknown[] | null;
}

interface ValidEvent {
  readonly kind: "event";
  readonly event: CeleryEvent;
}

interface Refusal {
  readonly kind: "refusal";
  readonly reason: PoisonReason;
  readonly detail: string;
}

/** Says what a field should be when it is not. */
type Check = (value: unknown) => string | undefined;

const string: Check = (value) => (typeof value === "string" ? undefined : "a string");
const boolean: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const number: Check = (value) => (Number.isFinite(value) ? undefined : "a finite number");
const integer: Check = (value) =>
  Number.isSafeInteger(value) ? undefined : "an integer between -2^53 and 2^53";
const orNull =
  (check: Check): Check =>
  (value) =>
    value === null ? undefined : check(value);
const time: Check = (value) =>
  typeof value === "string" && parseIsoTime(value) !== undefined ? undefined : "a time in ISO 8601, or null";
/** As far as dates go. */
const latest = 8.64e12;
const seconds: Check = (value) =>
  typeof value === "number" && Math.abs(value) <= latest ? undefined : "seconds since 1970";
const signal: Check = (value) =>
  typeof value === "string" || value === null ? undefined : integer(value) && "an integer, a string or null";
const numbers: Check = (value) =>
  Array.isArray(value) &&
  value.every((item) => item === null || typeof item === "string" || Number.isFinite(item))
    ? undefined
    : "a list of numbers";

type Fields = ReadonlyMap<string, Check>;
const common = {
  type: string,
  hostname: string,
  timestamp: seconds,
  utcoffset: integer,
  pid: integer,
  clock: integer,
};
const taskRequired = { ...common, uuid: string };
const workerRequired = { ...common, freq: number, sw_ident: string, sw_ver: string, sw_sys: string };

const taskFields: Fields = new Map(
  Object.entries({
    ...taskRequired,
    ...{ name: string, args: string, kwargs: string, exchange: string, routing_key: string, queue: string },
    ...{ result: string, exception: string, traceback: string, runtime: number, retries: integer },
    ...{ root_id: orNull(string), parent_id: orNull(string), eta: orNull(time), expires: orNull(time) },
    ...{ terminated: boolean, expired: boolean, requeue: boolean, signum: signal },
  }),
);
const workerFields: Fields = new Map(
  Object.entries({
    ...workerRequired,
    ...{ active: orNull(integer), processed: orNull(integer), loadavg: orNull(numbers) },
  }),
);
const requiredOfTask = Object.keys(taskRequired);
const requiredOfWorker = Object.keys(workerRequired);

const taskTypes: ReadonlySet<unknown> = new Set<TaskEventType>([
  ...(["task-sent", "task-received", "task-started", "task-succeeded"] as const),
  ...(["task-failed", "task-rejected", "task-revoked", "task-retried"] as const),
]);
const workerTypes: ReadonlySet<unknown> = new Set<WorkerEventType>([
  ...(["worker-online", "worker-heartbeat", "worker-offline"] as const),
]);
/** What is carried may be nested so deep: what is written out again must not exhaust the stack. */
const deepest = 32;
const carriable = `nested ${deepest} levels deep at most, of numbers that a double holds exactly`;

export interface EventRules {
  /** Also accept `task-cancelled`, and fields that are unknown. */
  readonly carryUnknown: boolean;
}

/** A value out of a message, checked against the tables of fields; it is given back itself. Never throws. */
export function validateEvent(value: unknown, { carryUnknown }: EventRules): ValidEvent | Refusal {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse(
      "not-an-event",
      `${value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`}`,
    );
  }
  const event = value as Readonly<Record<string, unknown>>;
  const { type } = event;
  const isTask = taskTypes.has(type) || (carryUnknown && type === "task-cancelled");
  if (!isTask && !workerTypes.has(type)) {
    return refuse("unknown-type", typeof type === "string" ? type : "there is no type");
  }
  const fields = isTask ? taskFields : workerFields;
  for (const name in event) {
    const check = fields.get(name);
    if (check === undefined) {
      if (!carryUnknown) return refuse("unknown-field", name);
      if (!canBeCarried(event[name], 1)) {
        return refuse("invalid-field", `${name}: should be ${carriable}`);
      }
      continue;
    }
    const wanted = check(event[name]);
    if (wanted !== undefined) return refuse("invalid-field", `${name}: should be ${wanted}`);
  }
  for (const name of isTask ? requiredOfTask : requiredOfWorker) {
    if (event[name] === undefined) return refuse("missing-field", name);
  }
  return { kind: "event", event: value as CeleryEvent };
}

/** Is the field one that Celery's events of this kind have? */
export function isKnownField(kind: "task" | "worker", name: string): boolean {
  return (kind === "task" ? taskFields : workerFields).has(name);
}

export function isTaskEvent(event: CeleryEvent): event is TaskEvent {
  return event.type.startsWith("task-");
}

function refuse(reason: PoisonReason, detail: string): Refusal {
  return { kind: "refusal", reason, detail: describePoison(detail) };
}

/** Would it be written out again as it was sent? */
function canBeCarried(value: unknown, depth: number): boolean {
  if (typeof value === "number")
    return Number.isInteger(value) ? Number.isSafeInteger(value) : Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return depth < deepest && Object.values(value).every((item) => canBeCarried(item, depth + 1));
}
