/**
 * What SDKs report (6). The answer is 200 as soon as the events are on disk. It is never a 4xx: FeatBit's SDKs switch
 * their events off for the rest of their process after most of those. What can be taken a moment later is answered with
 * 503, after which SDKs try once more; what never can be, with 200, and counted.
 */
import { isPosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import type { InsightsConfig } from "../../config/insights.ts";
import { createSlices } from "../../core/slices.ts";
import { type Exchange, headerValue } from "../../http/exchange.ts";
import type { FlagStore } from "../../replica/featbit/flag-store.ts";
import type { Spool } from "../../spool/spool.ts";
import { answerProblem } from "../answers.ts";
import { environmentName } from "../feeds.ts";
import type { Route } from "../router.ts";
import { encodeEvent } from "./event-record.ts";
import type { InsightMetrics, InsightRefusal } from "./metrics.ts";
import { createRefiner, type Refiner } from "./refiner.ts";

export interface IntakeOptions {
  readonly config: () => InsightsConfig;
  /** Where events go in the present mode; undefined while nothing can be written. */
  readonly spool: () => Spool | undefined;
  readonly store: FlagStore;
  readonly metrics: InsightMetrics;
  readonly log: Log;
}

/** SDKs send 50 at most. */
const maxEvents = 1000;
/** Of all bodies that are being read. */
const maxBytesAtOnce = 64 * 2 ** 20;
const quietMs = 60_000;

export function createIntake({ config, spool, store, metrics, log }: IntakeOptions): Route {
  let refine: { readonly of: InsightsConfig; readonly refiner: Refiner } | undefined;
  let bytesNow = 0;
  const toldAt = new Map<InsightRefusal, number>();

  function refuse(exchange: Exchange, reason: InsightRefusal, error?: unknown): void {
    metrics.refused(reason).value++;
    if (performance.now() - (toldAt.get(reason) ?? Number.NEGATIVE_INFINITY) > quietMs) {
      toldAt.set(reason, performance.now());
      log.warn({ reason, error }, "insights were not taken; the next minute's are counted only");
    }
    if (reason === "too_large" || reason === "not_json") answerTaken(exchange);
    else answerProblem(exchange, 503, "try again", ["Retry-After", "1"]);
  }

  /** Reads all of the body, and keeps it as far as it may be kept. */
  function readBody(exchange: Exchange, maxBytes: number): Promise<Buffer | "too_large" | "busy"> {
    const { body } = exchange;
    if (body === undefined) return Promise.resolve(Buffer.alloc(0));
    if (exchange.expectsContinue) exchange.inform(100, []);
    return new Promise((resolve, reject) => {
      let pieces: Buffer[] = [];
      let size = 0;
      let trouble: "too_large" | "busy" | undefined;
      const forget = (): void => {
        for (const { length } of pieces) bytesNow -= length;
        pieces = [];
      };
      body.on("data", (piece: Buffer) => {
        size += piece.length;
        if (size > maxBytes) trouble = "too_large";
        else if (trouble === undefined && bytesNow + piece.length > maxBytesAtOnce) trouble = "busy";
        if (trouble !== undefined) return forget();
        bytesNow += piece.length;
        pieces.push(piece);
      });
      body.on("end", () => {
        const whole = Buffer.concat(pieces);
        forget();
        resolve(trouble ?? whole);
      });
      const onCut = (): void => {
        forget();
        reject(new Error("the client went away"));
      };
      body.on("error", onCut);
      body.on("close", onCut);
    });
  }

  return async (exchange) => {
    const { mode, body } = config();
    const bytes = await readBody(exchange, mode === "drop" ? 0 : body);
    const settings = config(); // they may have changed meanwhile
    if (mode === "drop" || settings.mode === "drop") {
      metrics.unread.value++;
      return answerTaken(exchange);
    }
    if (typeof bytes === "string") return refuse(exchange, bytes);
    const events = parseEvents(bytes);
    if (events === undefined) return refuse(exchange, "not_json");
    const key = (headerValue(exchange, "authorization") ?? "").trim();
    const secret = store.findSecret(key);
    if (secret === undefined) {
      metrics.dropped("unknown_key").value += events.length;
      return answerTaken(exchange);
    }
    const queue = spool();
    if (queue === undefined) return refuse(exchange, "queue_failed");
    if (queue.isFull) return refuse(exchange, "queue_full");

    const slices = createSlices();
    if (refine?.of !== settings) refine = { of: settings, refiner: createRefiner(settings) };
    const { envId } = secret;
    const environment = environmentName(store.state, envId.toLowerCase());
    const about = { at: Date.now(), environment, envId, ...(settings.mode === "forward" && { key }) };
    const records: Buffer[] = [];
    if (events.length > maxEvents) metrics.dropped("too_many").value += events.length - maxEvents;
    const { refiner } = refine;
    for (const event of events.slice(0, maxEvents)) {
      if (slices.isDue()) await slices.pause();
      const refined = refiner(event);
      if (typeof refined === "string") metrics.dropped(refined).value++;
      else records.push(encodeEvent({ ...about, event: refined.json }));
    }
    if (records.length === 0) return answerTaken(exchange);
    try {
      await queue.append(records);
    } catch (error) {
      const isFull = isPosthouseError(error) && (error.code === "SPOOL_FULL" || error.code === "SPOOL_BUSY");
      return refuse(exchange, isFull ? "queue_full" : "queue_failed", error);
    }
    metrics.accepted(environment).value += records.length;
    answerTaken(exchange);
  };
}

function answerTaken(exchange: Exchange): void {
  if (!exchange.aborted) exchange.answer(200, [], "");
}

/** The events of a request; undefined when it is no JSON list. */
function parseEvents(bytes: Buffer): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8").replace(/^\ufeff/, ""));
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
