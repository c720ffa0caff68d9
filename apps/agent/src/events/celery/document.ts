/**
 * The documents that Leek's API takes: one per task (id = uuid) or worker (id = hostname). Times are milliseconds since
 * 1970, except `exact_timestamp` (seconds). What is undefined is not sent. Fields are sent in the order in which
 * `createTaskDocument` and `createWorkerDocument` name them; copying by spreading keeps it.
 */

export type TaskState =
  | "QUEUED"
  | "RECEIVED"
  | "STARTED"
  | "SUCCEEDED"
  | "FAILED"
  | "REJECTED"
  | "REVOKED"
  | "RETRY"
  | "RECOVERED"
  | "CRITICAL"
  | "CANCELLED";
export type WorkerState = "ONLINE" | "HEARTBEAT" | "OFFLINE";

interface CommonFields<Kind, State> {
  id: string;
  app_env: string;
  kind: Kind;
  state: State;
  clock: number;
  updated_at: number;
  timestamp: number;
  exact_timestamp: number;
  utcoffset: number;
  pid: number;
}

type Text = string | undefined;
type Count = number | undefined;
type Flag = boolean | undefined;
type Carried = Readonly<Record<string, unknown>> | undefined;

export interface TaskDocument extends CommonFields<"task", TaskState> {
  uuid: string;
  name: Text;
  name_parts: { readonly module: string; readonly function: string } | undefined;
  args: Text;
  kwargs: Text;
  args_0: Text;
  args_1: Text;
  args_2: Text;
  args_3: Text;
  args_4: Text;
  args_5: Text;
  args_6: Text;
  args_7: Text;
  args_8: Text;
  args_9: Text;
  kwargs_flattened: Readonly<Record<string, unknown>> | undefined;
  result: Text;
  runtime: Count;
  root_id: Text;
  parent_id: Text;
  exchange: Text;
  routing_key: Text;
  queue: Text;
  eta: Count;
  expires: Count;
  retries: Count;
  queued_at: Count;
  received_at: Count;
  started_at: Count;
  succeeded_at: Count;
  failed_at: Count;
  rejected_at: Count;
  revoked_at: Count;
  retried_at: Count;
  terminated: Flag;
  expired: Flag;
  signum: number | string | undefined;
  requeue: Flag;
  exception: Text;
  traceback: Text;
  lang: Text;
  error: { readonly type: string; readonly message: string } | undefined;
  stack: readonly never[] | undefined;
  trace: { readonly raw: string; readonly text: string; readonly wc: string } | undefined;
  client: Text;
  worker: Text;
  /** States of the events in it, the one that arrived last first, at most 21. */
  events: readonly TaskState[];
  events_count: number;
  /** Only of `task-cancelled`, which Leek does not know. */
  cancelled_at: Count;
  /** Fields of events that Celery does not know, as they were sent. */
  extra: Carried;
}

export interface WorkerDocument extends CommonFields<"worker", WorkerState> {
  hostname: string;
  online_at: Count;
  offline_at: Count;
  last_heartbeat_at: Count;
  sw_ident: string;
  sw_ver: string;
  sw_sys: string;
  processed: Count;
  active: Count;
  freq: number;
  loadavg: readonly unknown[] | undefined;
  events_count: number;
  extra: Carried;
}

export type LeekDocument = TaskDocument | WorkerDocument;

/** A document of one event, with nothing in it yet but what every event has. */
export function createTaskDocument(common: Omit<CommonFields<"task", TaskState>, "kind">): TaskDocument {
  return {
    id: common.id,
    app_env: common.app_env,
    kind: "task",
    state: common.state,
    clock: common.clock,
    updated_at: common.updated_at,
    timestamp: common.timestamp,
    exact_timestamp: common.exact_timestamp,
    utcoffset: common.utcoffset,
    pid: common.pid,
    uuid: common.id,
    name: undefined,
    name_parts: undefined,
    args: undefined,
    kwargs: undefined,
    args_0: undefined,
    args_1: undefined,
    args_2: undefined,
    args_3: undefined,
    args_4: undefined,
    args_5: undefined,
    args_6: undefined,
    args_7: undefined,
    args_8: undefined,
    args_9: undefined,
    kwargs_flattened: undefined,
    result: undefined,
    runtime: undefined,
    root_id: undefined,
    parent_id: undefined,
    exchange: undefined,
    routing_key: undefined,
    queue: undefined,
    eta: undefined,
    expires: undefined,
    retries: undefined,
    queued_at: undefined,
    received_at: undefined,
    started_at: undefined,
    succeeded_at: undefined,
    failed_at: undefined,
    rejected_at: undefined,
    revoked_at: undefined,
    retried_at: undefined,
    terminated: undefined,
    expired: undefined,
    signum: undefined,
    requeue: undefined,
    exception: undefined,
    traceback: undefined,
    lang: undefined,
    error: undefined,
    stack: undefined,
    trace: undefined,
    client: undefined,
    worker: undefined,
    events: [common.state],
    events_count: 1,
    cancelled_at: undefined,
    extra: undefined,
  };
}

export function createWorkerDocument(
  common: Omit<CommonFields<"worker", WorkerState>, "kind">,
  own: Pick<
    WorkerDocument,
    "sw_ident" | "sw_ver" | "sw_sys" | "processed" | "active" | "freq" | "loadavg" | "extra"
  >,
): WorkerDocument {
  return {
    id: common.id,
    app_env: common.app_env,
    kind: "worker",
    state: common.state,
    clock: common.clock,
    updated_at: common.updated_at,
    timestamp: common.timestamp,
    exact_timestamp: common.exact_timestamp,
    utcoffset: common.utcoffset,
    pid: common.pid,
    hostname: common.id,
    online_at: undefined,
    offline_at: undefined,
    last_heartbeat_at: undefined,
    sw_ident: own.sw_ident,
    sw_ver: own.sw_ver,
    sw_sys: own.sw_sys,
    processed: own.processed,
    active: own.active,
    freq: own.freq,
    loadavg: own.loadavg,
    events_count: 1,
    extra: own.extra,
  };
}
