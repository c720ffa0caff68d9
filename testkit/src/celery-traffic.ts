/** Events of Celery in any number, each of its own task and time: what was captured from real workers, with other ids. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface CeleryTraffic {
  /** The body of one message, one event of JSON. Another event for each index; those of one task are close together. */
  body(index: number): Buffer;
}

interface Template {
  readonly bytes: Buffer;
  /** Where the digits stand that tell the copies apart. */
  readonly places: readonly number[];
}

const captures = join(import.meta.dirname, "../../apps/agent/test/events/fixtures/rabbitmq.jsonl");
/** Of a uuid, at its end. */
const digits = 8;

type CapturedEvent = Readonly<Record<string, unknown>> & { readonly type: string; readonly uuid?: string };

/** The events of the captured tasks in which no state comes twice, over and over, in the order of the capture. */
export function taskLives(): CeleryTraffic {
  const lives = Map.groupBy(capturedEvents(), ({ uuid }) => uuid);
  const isPlain = ({ uuid }: CapturedEvent): boolean => {
    const states = lives.get(uuid)?.map(({ type }) => type) ?? [];
    return uuid !== undefined && new Set(states).size === states.length;
  };
  return repeat(capturedEvents().filter(isPlain));
}

/** A `task-sent` for each task, of so many bytes. */
export function sentTasks(bytes: number): CeleryTraffic {
  const sent = capturedEvents().find(({ type }) => type === "task-sent");
  if (sent === undefined) throw new Error("no task-sent was captured");
  const withNote = (length: number): CapturedEvent => ({
    ...sent,
    kwargs: `{'note': '${"n".repeat(length)}'}`,
  });
  return repeat([withNote(bytes - JSON.stringify(withNote(0)).length)]);
}

/** What kombu publishes on Redis for such a body. */
export function kombuEnvelope(body: Buffer): string {
  const properties = { delivery_mode: 1, delivery_info: { exchange: "celeryev", routing_key: "task.sent" } };
  return JSON.stringify({
    body: body.toString("base64"),
    "content-encoding": "utf-8",
    "content-type": "application/json",
    headers: { hostname: "w1@vm" },
    properties: {
      ...properties,
      priority: 0,
      body_encoding: "base64",
      delivery_tag: "23ba4c80-a0f7-489f-8f08",
    },
  });
}

function capturedEvents(): CapturedEvent[] {
  return readFileSync(captures, "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => JSON.parse(JSON.parse(line).body_raw));
}

function repeat(events: readonly CapturedEvent[]): CeleryTraffic {
  const templates = events.map(templateOf);
  return {
    body(index) {
      const template = templates[index % templates.length] as Template;
      const bytes = Buffer.from(template.bytes);
      const copy = Math.floor(index / templates.length)
        .toString(16)
        .padStart(digits, "0");
      for (const place of template.places) bytes.write(copy, place, "latin1");
      return bytes;
    },
  };
}

function templateOf(event: CapturedEvent): Template {
  const bytes = Buffer.from(JSON.stringify(event));
  const uuid = event.uuid ?? "";
  const places: number[] = [];
  for (let at = bytes.indexOf(uuid); at >= 0; at = bytes.indexOf(uuid, at + 1))
    places.push(at + uuid.length - digits);
  return { bytes, places };
}
