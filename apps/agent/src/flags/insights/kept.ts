/**
 * Events that stay on this machine, until they are too old or too many: then the oldest go. Whoever wants them fetches
 * them from the admin address, as often as he likes.
 */
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "@posthouse/service";
import type { InsightsConfig } from "../../config/insights.ts";
import { answerText, type Exchange } from "../../http/exchange.ts";
import type { SpoolRecord } from "../../spool/reader.ts";
import type { Spool } from "../../spool/spool.ts";
import { decodeEvent } from "./event-record.ts";
import type { InsightMetrics } from "./metrics.ts";

export interface KeptOptions {
  readonly spool: Spool;
  readonly config: () => InsightsConfig;
  readonly metrics: InsightMetrics;
  readonly log: Log;
}

export interface Kept {
  /** Lets go what is too old or too much, until the signal is aborted. */
  run(stopping: AbortSignal): Promise<void>;
  /** Answers with all events after a position, a line of JSON each, oldest first. */
  send(exchange: Exchange, after: number): Promise<void>;
}

const lookMs = 1000;
const slowReaderMs = 60_000;
const longestMs = 600_000;
const maxRecords = 500;

export function createKept({ spool, config, metrics, log }: KeptOptions): Kept {
  let turn: Promise<unknown> = Promise.resolve();

  /** The spool has one reader: one after the other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  }

  /** What there is now, from the oldest on. */
  async function* readAll(maxBytes: number = 2 ** 20): AsyncGenerator<readonly SpoolRecord[]> {
    spool.rewind();
    for (let left = spool.gauges().records; left > 0; ) {
      const giveUp = new AbortController();
      const timer = setTimeout(() => giveUp.abort(), 5000); // records may turn out to be damaged
      const records = await spool
        .read({ maxRecords, maxBytes }, giveUp.signal)
        .finally(() => clearTimeout(timer));
      if (records.length === 0) return;
      left -= records.length;
      yield records;
    }
  }

  async function letGo(): Promise<void> {
    const oldest = Date.now() - config().max_age;
    const isTooMuch = spool.isFull;
    const some = config().queue / 16; // the spool lets go an eighth at once
    for await (const records of readAll(isTooMuch ? some : undefined)) {
      const gone = isTooMuch
        ? records
        : records.filter(({ payload }) => (decodeEvent(payload)?.at ?? 0) < oldest);
      metrics.dropped(isTooMuch ? "oldest" : "expired").value += gone.length;
      spool.settle(gone.map(({ position }) => position));
      if (isTooMuch) await sleep(200); // what is settled leaves the disk a moment later
      if (isTooMuch ? !spool.isFull : gone.length < records.length) return;
    }
  }

  return {
    async run(stopping) {
      while (!stopping.aborted) {
        await sleep(lookMs, undefined, { signal: stopping }).catch(() => {});
        if (stopping.aborted) return;
        if (!spool.isFull && spool.gauges().oldestAgeMs <= config().max_age) continue;
        await inTurn(letGo).catch((error: unknown) => log.error({ error }, "old insights cannot be removed"));
      }
    },
    send: (exchange, after) =>
      inTurn(async () => {
        const events = new EventTarget();
        const tooLong = AbortSignal.timeout(longestMs);
        let isOver = false;
        exchange.listen({
          onDrain: () => void events.dispatchEvent(new Event("more")),
          onClose() {
            isOver = true;
            events.dispatchEvent(new Event("more"));
          },
        });
        if (exchange.aborted) return;
        exchange.begin(200, "OK", ["Content-Type", "application/x-ndjson", "Cache-Control", "no-store"]);
        try {
          for await (const records of readAll()) {
            const lines = records.filter(({ position }) => position > after).map(toLine);
            if (isOver) return;
            if (lines.length > 0 && !exchange.write(Buffer.from(lines.join(""))))
              await once(events, "more", {
                signal: AbortSignal.any([tooLong, AbortSignal.timeout(slowReaderMs)]),
              });
            if (isOver) return;
          }
          exchange.end([]);
        } catch (error) {
          log.warn({ error }, "insights could not be sent");
          exchange.abort();
        }
      }),
  };
}

function toLine({ position, payload }: SpoolRecord): string {
  const record = decodeEvent(payload);
  if (record === undefined) return "";
  const { at, environment, envId, event } = record;
  const head = JSON.stringify({ position, at: new Date(at).toISOString(), environment, envId });
  return `${head.slice(0, -1)},"event":${event}}\n`;
}

/** Where nothing is kept. */
export function answerNotKept(exchange: Exchange): void {
  answerText(exchange, 404, "insights are not kept here: flags.insights.mode is not keep\n");
}
