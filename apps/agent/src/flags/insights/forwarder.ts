/**
 * Sends what is in the queue to FeatBit, and settles it when FeatBit has it: at least once, whatever dies in between.
 *  - One request holds events of one key, 50 at most, as SDKs do.
 *  - While FeatBit is away, the oldest wait in memory and the rest on disk; attempts are rarer and rarer.
 *  - A key that FeatBit refuses is passed over, and read again later; other keys go on.
 *  - Events that FeatBit cannot read are sent in halves until the culprit is alone. It is dropped if FeatBit has taken
 *    anything before: else it may be no FeatBit that says so.
 */
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { createBackoff } from "@posthouse/client";
import type { Log } from "@posthouse/service";
import type { InsightsConfig } from "../../config/insights.ts";
import type { SpoolRecord } from "../../spool/reader.ts";
import type { Spool } from "../../spool/spool.ts";
import { type Delivery, type DeliveryOutcome, maxDeliveries } from "./delivery.ts";
import { decodeEvent, type EventRecord } from "./event-record.ts";
import { createHolds } from "./holds.ts";
import type { InsightMetrics } from "./metrics.ts";

export interface ForwarderOptions {
  readonly spool: Spool;
  readonly config: () => InsightsConfig;
  readonly delivery: Delivery;
  readonly metrics: InsightMetrics;
  readonly log: Log;
}

export interface Forwarder {
  /** Ends when `stopping` is aborted and the requests that run have ended, which `cut` makes them do at once. */
  run(stopping: AbortSignal, cut: AbortSignal): Promise<void>;
  /** Waits no longer for what was refused: something changed. */
  retry(): void;
  /** Keys that are passed over. */
  readonly held: number;
  /** For `/status`. */
  status(): object;
}

interface QueuedEvent extends EventRecord {
  readonly position: number;
  readonly key: string;
}

/** Events of one key. */
type Parcel = readonly QueuedEvent[];

const maxEvents = 50;
const maxParcelBytes = 512 * 1024;
const readLimits = { maxRecords: 1000, maxBytes: 2 ** 20 };
/** How long a few events wait for others. */
const lingerMs = 500;

export function createForwarder({ spool, config, delivery, metrics, log }: ForwarderOptions): Forwarder {
  const holds = createHolds();
  const usual = createBackoff({ firstMs: 500, maxMs: 60_000 });
  const slow = createBackoff({ firstMs: 30_000, maxMs: 600_000 });
  /** Events in the queue that were read and left there. */
  let isPassedOver = false;
  /** FeatBit has taken something from here, at this address. */
  let provenAt: string | undefined;
  let pausedUntil = 0;
  let due = new AbortController();
  let trouble: { reason: string; since: Date } | undefined;

  /** The next events. None when there may be others to try now. */
  async function take(signal: AbortSignal): Promise<QueuedEvent[]> {
    const dueMs = isPassedOver ? (holds.nextAt ?? 0) - Date.now() : undefined;
    if (dueMs !== undefined && dueMs <= 0) {
      spool.rewind();
      isPassedOver = false;
    }
    due = new AbortController();
    const { signal: isDue } = due;
    const timer = isPassedOver ? setTimeout(() => due.abort(), dueMs) : undefined;
    const until = AbortSignal.any([signal, isDue]);
    try {
      const records = [...(await spool.read(readLimits, until))];
      if (records.length > 0 && records.length < maxEvents) {
        await sleep(lingerMs, undefined, { signal }).catch(() => {});
        const now = new AbortController();
        const rest = spool.read(readLimits, now.signal);
        const soon = setTimeout(() => now.abort(), 10);
        records.push(...(await rest.finally(() => clearTimeout(soon))));
      }
      return records.flatMap(toEvent);
    } finally {
      clearTimeout(timer);
    }
  }

  function toEvent({ position, payload }: SpoolRecord): QueuedEvent[] {
    const record = decodeEvent(payload);
    if (record?.key !== undefined) return [{ ...record, key: record.key, position }];
    metrics.dropped("invalid").value++;
    spool.settle([position]);
    return [];
  }

  const settle = (parcel: Parcel): void => spool.settle(parcel.map(({ position }) => position));

  function withoutExpired(parcel: Parcel): Parcel {
    const oldest = Date.now() - config().max_age;
    const expired = parcel.filter(({ at }) => at < oldest);
    if (expired.length === 0) return parcel;
    metrics.dropped("expired").value += expired.length;
    settle(expired);
    return parcel.filter(({ at }) => at >= oldest);
  }

  async function endOfPause(signal: AbortSignal): Promise<void> {
    while (Date.now() < pausedUntil && !signal.aborted)
      await sleep(Math.min(1000, pausedUntil - Date.now()), undefined, { signal }).catch(() => {});
  }

  function pause(outcome: DeliveryOutcome, startedAt: number): void {
    if (startedAt < pausedUntil) return; // began before the pause that another request caused
    const backoff = outcome.result === "misdirected" ? slow : usual;
    const ms = Math.max(backoff.next(), outcome.retryAfterMs ?? 0);
    pausedUntil = Date.now() + ms;
    if (trouble?.reason !== outcome.reason) {
      const level = outcome.result === "misdirected" ? "error" : "warn";
      log[level]({ reason: outcome.reason, retryInMs: ms }, "insights wait: FeatBit does not take them");
    }
    trouble = { reason: outcome.reason, since: trouble?.since ?? new Date() };
  }

  function onTaken(parcel: Parcel, key: string, eventUri: string): void {
    settle(parcel);
    for (const { environment } of parcel) metrics.forwarded(environment).value++;
    provenAt = eventUri;
    usual.reset();
    slow.reset();
    if (trouble !== undefined) log.info({ since: trouble.since }, "FeatBit takes insights again");
    trouble = undefined;
    if (holds.release(key)) log.info({ environment: parcel[0]?.environment }, "FeatBit takes this key again");
  }

  function hold(parcel: Parcel, { reason, result, retryAfterMs }: DeliveryOutcome): void {
    const [{ key, environment } = { key: "", environment: "" }] = parcel;
    const wasHeld = holds.list().some((each) => each.environment === environment && each.reason === reason);
    holds.hold(key, { environment, reason, ms: result === "key_later" ? (retryAfterMs ?? 5000) : undefined });
    isPassedOver = true;
    if (!wasHeld) log.warn({ environment, reason }, "insights of this key are held: FeatBit refuses them");
  }

  /** Sends the events of one key until they are settled or the key is held. */
  async function deliver(parcel: Parcel, stopping: AbortSignal, cut: AbortSignal): Promise<void> {
    const waiting: Parcel[] = [parcel];
    const culprits: { readonly parcel: Parcel; readonly outcome: DeliveryOutcome }[] = [];
    for (let attempt = 0; waiting.length > 0; attempt++) {
      await endOfPause(stopping);
      const events = withoutExpired(waiting.shift() ?? []);
      const key = events[0]?.key;
      if (stopping.aborted || key === undefined) continue;
      if (holds.isHeld(key)) {
        isPassedOver = true;
        continue;
      }
      const { event_uri: eventUri = "" } = config();
      const startedAt = Date.now();
      if (attempt > 0) metrics.retries.value++;
      const outcome = await delivery.post(eventUri, key, `[${events.map(({ event }) => event).join()}]`, cut);
      if (cut.aborted && outcome.result === "later") return;
      metrics.requests(outcome.result).value++;
      if (outcome.result === "taken") onTaken(events, key, eventUri);
      else if (eventUri !== config().event_uri)
        waiting.unshift(events); // who said so is asked no more
      else if (outcome.result === "unreadable" && events.length > 1) {
        const half = events.length >> 1;
        waiting.unshift(events.slice(0, half), events.slice(half));
      } else if (outcome.result === "unreadable") culprits.push({ parcel: events, outcome });
      else if (outcome.result === "key_refused" || outcome.result === "key_later") hold(events, outcome);
      else {
        pause(outcome, startedAt);
        waiting.unshift(events);
      }
    }
    for (const { parcel: events, outcome } of culprits) {
      if (provenAt !== config().event_uri) hold(events, outcome);
      else {
        metrics.dropped(`refused_${outcome.status ?? 0}`).value += events.length;
        settle(events);
      }
    }
  }

  return {
    async run(stopping, cut) {
      const reading = createBackoff({ firstMs: 500, maxMs: 30_000 });
      while (!stopping.aborted) {
        try {
          const parcels = toParcels(await take(stopping));
          reading.reset();
          const next = parcels.values();
          const work = async (): Promise<void> => {
            for (const parcel of next) if (!stopping.aborted) await deliver(parcel, stopping, cut);
          };
          await Promise.all(Array.from({ length: Math.min(maxDeliveries, parcels.length) }, work));
          await setImmediate();
        } catch (error) {
          log.error({ error }, "insights cannot be read from their queue");
          await sleep(reading.next(), undefined, { signal: stopping }).catch(() => {});
        }
      }
    },
    retry() {
      pausedUntil = 0;
      usual.reset();
      slow.reset();
      holds.clear();
      due.abort();
    },
    get held() {
      return holds.size;
    },
    status: () => ({
      trouble: trouble && { ...trouble, nextAttemptAt: new Date(pausedUntil) },
      held: holds.list(),
    }),
  };
}

/** Events of one key together, in the order in which they came. */
function toParcels(events: readonly QueuedEvent[]): Parcel[] {
  const open = new Map<string, { readonly parcel: QueuedEvent[]; bytes: number }>();
  const parcels: Parcel[] = [];
  for (const event of events) {
    const bytes = event.event.length;
    let current = open.get(event.key);
    if (
      current === undefined ||
      current.parcel.length >= maxEvents ||
      current.bytes + bytes > maxParcelBytes
    ) {
      current = { parcel: [], bytes: 0 };
      open.set(event.key, current);
      parcels.push(current.parcel);
    }
    current.parcel.push(event);
    current.bytes += bytes;
  }
  return parcels;
}
