/**
 * From the spool to a sink. A record of the spool is settled when each event of it was accepted by the sink, was a
 * duplicate, or is a dead letter on disk; nothing is settled before. Events of one task, or one worker, go in order.
 *
 * What was read and is not settled is bounded by its bytes and its events: then reading waits.
 */
import { setMaxListeners } from "node:events";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import type { Log, Part } from "@posthouse/service";
import type { SpoolRecord } from "../spool/reader.ts";
import type { Spool } from "../spool/spool.ts";
import { BurialLog } from "./burial-log.ts";
import type { BrokerMessage } from "./celery/message.ts";
import type { Poison } from "./celery/poison.ts";
import { type Again, type ReceivedEvent, readEvents } from "./celery/received-event.ts";
import type { DeadLetters, NewDeadLetter } from "./dead-letters.ts";
import { Delivery, type DeliveryDelays } from "./delivery.ts";
import { EventCounters, type PipelineMetrics, plainHistogram } from "./event-counters.ts";
import { Lane } from "./lane.ts";
import { Outlet, type OutletStatus } from "./outlet.ts";
import { RecentIds } from "./recent-ids.ts";
import { entityOf, type Sink, type SinkPart } from "./sinks/sink.ts";
import { decodeMessage, encodeMessage, messageOf } from "./spooled-message.ts";

export interface PipelineOptions {
  /** The subscription's name. */
  readonly name: string;
  /** Runs before the pipeline starts, until after it stopped; nobody else reads it. */
  readonly spool: Spool;
  /** Closed by whoever made it, after the pipeline stopped. */
  readonly sink: Sink;
  readonly deadLetters: Pick<DeadLetters, "add">;
  readonly log: Log;
  /** A batch is closed at so many events, */
  readonly maxEvents: number;
  /** at so many bytes to be sent, */
  readonly maxBytes: number;
  /** and so long after its first event, unless the one before is still under way. */
  readonly windowMs: number;
  /** Requests that may be under way at a time. */
  readonly concurrency: number;
  /** Also deliver `task-cancelled` and fields that Celery 5 does not send. Default true. */
  readonly carryUnknown?: boolean;
  /** Event ids that are remembered. Default 50,000. */
  readonly duplicateWindow?: number;
  /**
   * Of records read and not settled. Default: a batch for each request and one more, 16 MiB at most. So many events, or
   * 2000, are the most in any case: as objects they take more than their bytes.
   */
  readonly readAheadBytes?: number;
  readonly delays?: Partial<DeliveryDelays>;
}

export interface Pipeline extends Part {
  /** Sends nothing until `resume`; what is under way ends. */
  pause(): void;
  resume(): void;
  readonly status: PipelineStatus;
  metrics(): PipelineMetrics;
}

/** A record that is not settled. */
interface Ticket {
  readonly position: number;
  readonly bytes: number;
  /** Events of it whose end is not known. */
  left: number;
}

interface TicketedEvent extends ReceivedEvent {
  readonly ticket: Ticket;
  isSettled: boolean;
}

export interface PipelineStatus extends OutletStatus {
  /** Why dead letters cannot be kept at the moment. */
  readonly deadLetterError?: { readonly message: string; readonly at: Date } | undefined;
}

/** Decoding takes its time: others get their turn after so many. */
const recordsPerTurn = 100;
const retryMs = 1000;
const defaultDelays: DeliveryDelays = { failedMs: [500, 30_000], heldMs: [5000, 60_000] };

export function createPipeline(options: PipelineOptions): Pipeline {
  const { name, spool, sink, deadLetters, maxEvents, maxBytes, windowMs, concurrency } = options;
  const { duplicateWindow = 50_000 } = options;
  const { readAheadBytes = Math.min(16 * 2 ** 20, (concurrency + 1) * maxBytes) } = options;
  const readAheadEvents = Math.max(2000, (concurrency + 1) * maxEvents);
  const rules = { carryUnknown: options.carryUnknown ?? true };
  const log = options.log.child({ subscription: name });
  const counters = new EventCounters();
  const recent = new RecentIds(duplicateWindow);
  const ending = new AbortController();
  /** Records before this position may have been sent by a process, or a pipeline, that ended. */
  let sentBefore = 0;
  let heldBytes = 0;
  let heldEvents = 0;
  let onReleased: (() => void) | undefined;
  let reading: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  const burying = new Set<Promise<void>>();
  const burialLog = new BurialLog(log);
  let deadLetterError: PipelineStatus["deadLetterError"];
  setMaxListeners(0, ending.signal);

  const outlet = new Outlet(({ state, lastError }) => {
    if (state === "delivering") log.info({ target: sink.target }, "events are delivered again");
    else if (state === "held" || state === "failing")
      log.warn({ target: sink.target, reason: lastError?.message }, messages[state]);
  });
  const delivery = new Delivery<TicketedEvent>({
    sink,
    outlet,
    delays: { ...defaultDelays, ...options.delays },
    onAccepted(events) {
      counters.delivered += settle(events);
    },
    async onRefused(events, reason) {
      const letters = events.map(({ event }) => letterOf("refused", reason, messageOf(jsonOf(event))));
      if (await bury(letters)) settle(events);
    },
  });
  const lanes = Array.from(
    { length: concurrency },
    () =>
      new Lane<TicketedEvent>({
        maxEvents,
        maxBytes,
        windowMs,
        createBatch: () => sink.createBatch(),
        deliver,
        onClosed({ events, bytes }) {
          counters.batches++;
          counters.batchEvents.observe(events.length);
          counters.batchBytes.observe(bytes);
        },
        isPressed: () => onReleased !== undefined,
      }),
  );

  async function deliver(parts: readonly SinkPart<TicketedEvent>[]): Promise<boolean> {
    let left = parts;
    for (;;) {
      try {
        return await delivery.deliver(left);
      } catch (error) {
        log.error({ error }, "a batch could not be sent, for a reason that is not the receiver's");
        outlet.failed("failing", messageText(error));
      }
      await outlet.wait(retryMs, false);
      if (outlet.isStopping) return false;
      left = left.filter(({ events }) => events.some(({ isSettled }) => !isSettled));
    }
  }

  /** How many of them were not settled before. */
  function settle(events: readonly TicketedEvent[]): number {
    const positions: number[] = [];
    let settled = 0;
    for (const event of events) {
      const { ticket } = event;
      if (event.isSettled) continue;
      event.isSettled = true;
      settled++;
      heldEvents--;
      if (--ticket.left > 0) continue;
      positions.push(ticket.position);
      heldBytes -= ticket.bytes;
    }
    if (positions.length > 0) spool.settle(positions);
    if (hasRoom()) onReleased?.();
    return settled;
  }

  /** Keeps dead letters, for as long as it takes; false: stopped before they were. */
  async function bury(letters: readonly NewDeadLetter[]): Promise<boolean> {
    for (let isFirst = true; ; isFirst = false) {
      try {
        await deadLetters.add(letters);
        deadLetterError = undefined;
        break;
      } catch (error) {
        deadLetterError = { message: messageText(error), at: new Date() };
        if (isFirst) log.error({ error }, "dead letters cannot be kept: what they are of stays in the spool");
      }
      if (ending.signal.aborted) return false;
      await sleep(retryMs, undefined, { signal: ending.signal }).catch(() => {});
    }
    for (const { reason } of letters) counters.countDead(reason, 1);
    burialLog.note(letters.map(({ reason }) => reason));
    return true;
  }

  function letterOf(reason: string, detail: string, message: BrokerMessage): NewDeadLetter {
    return { subscription: name, reason, detail, record: Uint8Array.from(encodeMessage(message)) };
  }

  function letterOfPoison(poison: Poison, message: BrokerMessage): NewDeadLetter {
    const { reason, detail, scope, raw } = poison;
    return letterOf(reason, detail, scope === "message" ? message : messageOf(raw));
  }

  function take({ position, payload }: SpoolRecord): void {
    const ticket: Ticket = { position, bytes: payload.length, left: 1 };
    const letters: NewDeadLetter[] = [];
    heldBytes += ticket.bytes;
    counters.messages++;
    const decoded = decodeMessage(payload);
    if (decoded.kind === "message") {
      const again = againOf(decoded.message, position);
      for (const read of readEvents(decoded.message, rules)) {
        if (read.kind === "poison") letters.push(letterOfPoison(read, decoded.message));
        else addEvent(read, again, ticket, decoded.isReplay, letters);
      }
    } else {
      const isCut = decoded.kind === "cut";
      const detail = isCut ? `${decoded.bytes} bytes, of which the beginning is kept` : "not of this version";
      const reason = isCut ? "too-large" : "unknown-record";
      letters.push({ subscription: name, reason, detail, record: Uint8Array.from(payload) });
    }
    if (letters.length === 0) {
      settleOne(ticket);
      return;
    }
    const burial = bury(letters).then((isKept) => {
      burying.delete(burial);
      if (isKept) settleOne(ticket);
    });
    burying.add(burial);
  }

  function againOf(message: BrokerMessage, position: number): Again | undefined {
    if (message.isRedelivered === true) return message.transport === "amqp" ? "any-order" : "in-order";
    return position < sentBefore ? "in-order" : undefined;
  }

  /** The record itself counts for one: its events may have ended before all of them were read. */
  function settleOne(ticket: Ticket): void {
    if (--ticket.left > 0) return;
    heldBytes -= ticket.bytes;
    spool.settle([ticket.position]);
    if (hasRoom()) onReleased?.();
  }

  function addEvent(
    { id, event }: ReceivedEvent,
    again: Again | undefined,
    ticket: Ticket,
    isReplay: boolean,
    letters: NewDeadLetter[],
  ): void {
    counters.events++;
    if (recent.see(id) && !isReplay) {
      counters.duplicates++;
      return;
    }
    const lane = lanes.length === 1 ? lanes[0] : lanes[laneOf(entityOf(event), lanes.length)];
    try {
      lane?.add({ kind: "event", id, event, again, ticket, isSettled: false });
      ticket.left++;
      heldEvents++;
    } catch (error) {
      log.error({ error }, "an event could not be made ready to be sent");
      letters.push(letterOf("unexpected", messageText(error), messageOf(jsonOf(event))));
    }
  }

  function hasRoom(): boolean {
    return heldBytes < readAheadBytes && heldEvents < readAheadEvents;
  }

  /** Resolves when more may be read; open batches go first, since nothing else will fill them. */
  async function room(): Promise<void> {
    if (hasRoom() || ending.signal.aborted) return;
    const released = Promise.withResolvers<void>();
    onReleased = released.resolve;
    ending.signal.addEventListener("abort", onReleased, { once: true });
    for (const lane of lanes) lane.flush();
    await released.promise;
    ending.signal.removeEventListener("abort", onReleased);
    onReleased = undefined;
  }

  async function readAll(): Promise<void> {
    const { signal } = ending;
    while (!signal.aborted) {
      await room();
      try {
        const maxRecords = recordsPerTurn;
        for (const record of await spool.read({ maxRecords, maxBytes: 256 * 1024 }, signal)) take(record);
      } catch (error) {
        if (signal.aborted) return;
        log.error({ error }, "events cannot be read back from the disk; it is tried again");
        await sleep(retryMs, undefined, { signal }).catch(() => {});
      }
      await nextTurn();
    }
  }

  async function stop(deadlineMs: number): Promise<void> {
    ending.abort();
    const abort = setTimeout(() => outlet.abort(), deadlineMs);
    await reading;
    outlet.stop();
    await Promise.all([...lanes.map((lane) => lane.finish()), ...burying]);
    burialLog.stop();
    clearTimeout(abort);
    outlet.abort();
  }

  return {
    name: `events ${name}`,
    async start() {
      if (reading !== undefined || stopping !== undefined) throw new Error("a pipeline starts once");
      spool.rewind();
      sentBefore = spool.end;
      reading = readAll();
    },
    stop(deadlineMs) {
      stopping ??= stop(deadlineMs);
      return stopping;
    },
    pause: () => outlet.pause(),
    resume: () => outlet.resume(),
    get status() {
      return { ...outlet.status, deadLetterError };
    },
    metrics() {
      const { records, bytes, oldestAgeMs } = spool.gauges();
      return {
        messages: counters.messages,
        events: counters.events,
        duplicates: counters.duplicates,
        delivered: counters.delivered,
        dead: Object.fromEntries(counters.dead),
        batches: counters.batches,
        batchEvents: plainHistogram(counters.batchEvents),
        batchBytes: plainHistogram(counters.batchBytes),
        requests: Object.fromEntries(sink.statuses),
        latencySeconds: plainHistogram(sink.latency),
        heldBytes,
        spoolRecords: records,
        spoolBytes: bytes,
        spoolAgeMs: oldestAgeMs,
      };
    },
  };
}

const messages = {
  failing: "events cannot be delivered; they are kept on disk, and it is tried again",
  held: "events are refused as a whole until somebody changes something; they are kept on disk",
} as const;

function messageText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function jsonOf(event: object): Uint8Array {
  return Buffer.from(JSON.stringify(event));
}

/** FNV-1a: what is of one entity goes the same way. */
function laneOf(entity: string, lanes: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < entity.length; at++) hash = Math.imul(hash ^ entity.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % lanes;
}
