import { createRandom, type Random } from "./random.ts";

/** One of Celery's events; `clock` is another number for each: by it an event is known. */
export type SentEvent = Readonly<Record<string, unknown>> & {
  readonly type: string;
  readonly clock: number;
  readonly timestamp: number;
  readonly hostname: string;
};

/** What is published at once: one event, a list of them, or one that can never be delivered. */
export interface SentMessage {
  readonly events: readonly SentEvent[];
  readonly isPoison: boolean;
  /** The JSON text. */
  readonly body: string;
}

/** The uuid of a task, or the name of a worker: what Leek makes a document of. */
export function entityOf(event: SentEvent): string {
  return typeof event.uuid === "string" ? event.uuid : event.hostname;
}

/**
 * In order of arrival, with the place in time. No state is twice in a life, and what describes a task is the same in each
 * of its events: Leek takes an old event that comes again for news, and would show it.
 */
type Step = readonly [type: string, order: number];
const lives: readonly [readonly Step[], ...(readonly Step[])[]] = [
  steps("task-sent", "task-received", "task-started", "task-succeeded"),
  steps("task-sent", "task-received", "task-started", "task-failed"),
  steps("task-sent", "task-received", "task-revoked"),
  steps("task-sent", "task-received", "task-rejected"),
  steps("task-sent", "task-received", "task-started", "task-retried", "task-succeeded"),
  // The client's event may be the later one to arrive.
  [
    ["task-received", 1],
    ["task-sent", 0],
    ["task-started", 2],
    ["task-succeeded", 3],
  ],
  steps("worker-online", "worker-heartbeat", "worker-offline"),
];

function steps(...types: readonly string[]): Step[] {
  return types.map((type, order) => [type, order]);
}

interface Life {
  readonly number: number;
  readonly id: string;
  readonly text: string;
  readonly left: Step[];
  readonly isRetried: boolean;
}

/** So many tasks and workers are under way at a time. */
const openLives = 12;
const poisonEvery = 60;
const longResult = 6000;
const startSeconds = 1_795_223_000;
const words = [
  "naïve",
  "日本語",
  "🚀🛰️",
  "Ωμέγα",
  "plain",
  "tab\there",
  "",
  "emoji 👩‍👩‍👧",
  "ﬀ",
  "zero​width",
] as const;

/** Lives of tasks and workers, mixed, for as long as it is asked; the same for the same seed. */
export class Traffic {
  readonly #random: Random;
  readonly #open: Life[] = [];
  #lives = 0;
  #clock = 0;
  #messages = 0;

  constructor(seed: number) {
    this.#random = createRandom(seed).fork("traffic");
  }

  next(): SentMessage {
    this.#messages++;
    if (this.#messages % poisonEvery === 0) return poisonMessage(++this.#clock);
    const isList = this.#random.below(8) === 0;
    const events = Array.from({ length: isList ? 1 + this.#random.below(4) : 1 }, () => this.#event());
    return { events, isPoison: false, body: JSON.stringify(isList ? events : events[0]) };
  }

  #event(): SentEvent {
    while (this.#open.length < openLives) this.#open.push(this.#begin());
    const at = this.#random.below(this.#open.length);
    const life = this.#open[at] ?? this.#begin();
    const [type, order] = life.left.shift() ?? ["worker-offline", 9];
    if (life.left.length === 0) this.#open.splice(at, 1);
    const timestamp = startSeconds + life.number + order * 0.123_457;
    const common = { type, clock: ++this.#clock, timestamp, utcoffset: 0, pid: 7 };
    if (type.startsWith("worker-")) return { ...common, ...workerFields(life) };
    return { ...common, ...taskFields(type, life) };
  }

  #begin(): Life {
    const number = ++this.#lives;
    const left = [...this.#random.pick(lives)];
    const word = this.#random.pick(words);
    const isWorker = left[0]?.[0].startsWith("worker-") === true;
    return {
      number,
      id: isWorker ? `w${number}@vm` : `task-${number}`,
      text: `${word} ${number}`,
      left,
      isRetried: left.some(([type]) => type === "task-retried"),
    };
  }
}

function workerFields({ id, number }: Life) {
  const software = { sw_ident: "py-celery", sw_ver: "5.2.6", sw_sys: "Linux" };
  return { hostname: id, freq: 2, ...software, active: 0, processed: number, loadavg: [0.5, 1.25, 2] };
}

function taskFields(type: string, { id, number, text, isRetried }: Life) {
  const common = { uuid: id, hostname: type === "task-sent" ? "client@vm" : "w1@vm" };
  const description = {
    name: "shop.orders.charge",
    args: `(${number}, '${text.replace("\t", "\\t")}')`,
    kwargs: `{'note': '${text.replace("\t", "\\t")}', 'n': ${number}}`,
    root_id: id,
    parent_id: null,
    retries: isRetried ? 1 : 0,
    eta: null,
    expires: null,
  };
  const exception = `ValueError('${number}')`;
  const failure = {
    exception,
    traceback: `Traceback (most recent call last):\n  File "orders.py", line ${number}, in charge\nValueError: no ${number}`,
  };
  switch (type) {
    case "task-sent":
      return { ...common, ...description, queue: "low", exchange: "", routing_key: "low" };
    case "task-received":
      return { ...common, ...description };
    case "task-succeeded":
      return { ...common, result: resultOf(number, text), runtime: number / 1024 };
    case "task-failed":
    case "task-retried":
      return { ...common, ...failure };
    case "task-revoked":
      return { ...common, terminated: true, expired: false, signum: "15" };
    case "task-rejected":
      return { ...common, requeue: false };
    default:
      return common;
  }
}

/** Now and then a long one. */
function resultOf(number: number, text: string): string {
  return number % 20 === 0 ? `${text} `.repeat(Math.ceil(longResult / (text.length + 1))) : text;
}

function poisonMessage(clock: number): SentMessage {
  const event = {
    type: "task-started",
    uuid: `poison-${clock}`,
    clock,
    timestamp: startSeconds,
    utcoffset: 0,
    pid: 7,
  };
  const body = JSON.stringify(event);
  return { events: [{ ...event, hostname: "" }], isPoison: true, body };
}
