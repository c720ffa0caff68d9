import { createBackoff } from "@posthouse/client/backoff";
import type { ReceivedEvent } from "./celery/received-event.ts";
import type { Outlet } from "./outlet.ts";
import type { Sink, SinkOutcome, SinkPart, SinkRequest } from "./sinks/sink.ts";

export interface DeliveryDelays {
  /** First and longest time between attempts. */
  readonly failedMs: readonly [first: number, longest: number];
  /** The same while somebody has to change something first. */
  readonly heldMs: readonly [first: number, longest: number];
}

export interface DeliveryOptions<Event extends ReceivedEvent> {
  readonly sink: Sink;
  readonly outlet: Outlet;
  readonly delays: DeliveryDelays;
  readonly onAccepted: (events: readonly Event[]) => void;
  /** These will never be taken; resolves when they are kept elsewhere. */
  readonly onRefused: (events: readonly Event[], reason: string) => Promise<void>;
}

type Refused = Extract<SinkOutcome, { kind: "refused" }>;
/** stopped: given up for now, with nothing known of it. */
type Verdict = "accepted" | "stopped" | Refused;

/** At most so many parts go together after a refusal: Leek's API stores so many at a time. */
const mostTogether = 500;
/** One part alone is refused for good after so many refusals, when they might have passed. */
const patientAttempts = 3;
/** After so many failures in a row that may be the content's fault, it is taken for that, if all else works. */
const failuresOfContent = 12;
/** More attempts of each, when one after the other is refused and nothing is accepted. */
const mostExtraAttempts = 7;

/**
 * Sends batches until every event of them is accepted, or known to be refused for itself. A batch that is refused is sent
 * again in parts, and these in parts, in their order, until the one that is refused stands alone. When nothing at all is
 * accepted, what is refused is tried longer and longer: it is hardly all of it that is wrong.
 */
export class Delivery<Event extends ReceivedEvent> {
  readonly #options: DeliveryOptions<Event>;

  constructor(options: DeliveryOptions<Event>) {
    this.#options = options;
  }

  /** False: stopped before all was settled. */
  async deliver(parts: readonly SinkPart<Event>[]): Promise<boolean> {
    const { sink, onAccepted } = this.#options;
    const request = await sink.prepare(parts);
    const verdict = await this.#send(request);
    if (verdict === "stopped") return false;
    if (verdict === "accepted") {
      for (const { events } of parts) onAccepted(events);
      return true;
    }
    const [only] = parts;
    if (parts.length <= 1) return only === undefined || this.#insist(only, request, verdict);
    const size = Math.min(mostTogether, Math.ceil(parts.length / 2));
    for (let from = 0; from < parts.length; from += size)
      if (!(await this.deliver(parts.slice(from, from + size)))) return false;
    return true;
  }

  /** A part that was refused alone. */
  async #insist(part: SinkPart<Event>, request: SinkRequest, first: Refused): Promise<boolean> {
    const { outlet, delays, onAccepted, onRefused } = this.#options;
    const backoff = backoffOf(delays.failedMs);
    let refused = first;
    for (let attempts = 1; ; attempts++) {
      const least = (refused.isFinal ? 1 : patientAttempts) + Math.min(mostExtraAttempts, outlet.refusals);
      if (attempts >= least) break;
      outlet.failed("failing", refused.reason);
      await outlet.wait(backoff.next(), false);
      // Without the time for another look nothing is given up.
      if (outlet.isStopping) return false;
      const verdict = await this.#send(request);
      if (verdict === "stopped") return false;
      if (verdict === "accepted") {
        onAccepted(part.events);
        return true;
      }
      refused = verdict;
    }
    outlet.refusals++;
    await onRefused(part.events, refused.reason);
    return true;
  }

  /** Sends it until it is clear what becomes of it. */
  async #send(request: SinkRequest): Promise<Verdict> {
    const { sink, outlet, delays } = this.#options;
    const failing = backoffOf(delays.failedMs);
    const holding = backoffOf(delays.heldMs);
    let contentFailures = 0;
    while (await outlet.open()) {
      const isLast = outlet.isStopping;
      const outcome = await sink.send(request, outlet.signal);
      if (outcome.kind === "accepted") {
        outlet.accepted();
        return "accepted";
      }
      if (outcome.kind === "refused") return outcome;
      outlet.failed(outcome.kind === "held" ? "held" : "failing", outcome.reason);
      if (isLast || outlet.isStopping) return "stopped";
      if (outcome.kind === "held") {
        await outlet.wait(holding.next(), false);
        continue;
      }
      contentFailures = outcome.mayBeContent === true ? contentFailures + 1 : 0;
      if (contentFailures >= failuresOfContent && (await this.#isContent(request)))
        return { kind: "refused", reason: outcome.reason, isFinal: true };
      const { retryAfterMs } = outcome;
      await outlet.wait(retryAfterMs ?? failing.next(), retryAfterMs !== undefined);
    }
    return "stopped";
  }

  /** Several parts can be sent apart at no risk; one alone is given up only where everything else is known to work. */
  async #isContent({ parts }: SinkRequest): Promise<boolean> {
    const { sink, outlet } = this.#options;
    return parts > 1 || (await sink.isReady(outlet.signal)) === true;
  }
}

function backoffOf([firstMs, maxMs]: readonly [number, number]) {
  return createBackoff({ firstMs, maxMs });
}
