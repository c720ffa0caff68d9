import type { CeleryEvent } from "../celery/event.ts";
import type { ReceivedEvent } from "../celery/received-event.ts";

/** Events on their way to a sink, as one request; it grows until it is full or due. */
export interface SinkBatch<Event extends ReceivedEvent> {
  /**
   * False, with nothing changed, when what is to be sent would be larger than `limitBytes` with it, or when it has to be
   * sent apart; an empty batch takes any.
   */
  add(event: Event, limitBytes: number): boolean;
  readonly events: readonly Event[];
  /** To be sent. */
  readonly bytes: number;
  /** What can be sent by itself, in order; to be asked for once nothing is added any more. */
  parts(): readonly SinkPart<Event>[];
}

/** The least that can be sent: a document, or an event. */
export interface SinkPart<Event extends ReceivedEvent> {
  readonly json: string;
  readonly events: readonly Event[];
}

export interface SinkRequest {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: number;
}

/**
 * What became of a request.
 * - accepted: all of it is where it belongs
 * - refused: something in it is not taken, and sending it again in this form is no use. `isFinal`: nor in another moment
 * - held: nothing is taken until somebody changes something: key, application, address
 * - failed: to be sent again later. `mayBeContent`: what was sent may have caused it
 */
export type SinkOutcome =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly reason: string; readonly isFinal: boolean }
  | { readonly kind: "held"; readonly reason: string }
  | {
      readonly kind: "failed";
      readonly reason: string;
      readonly retryAfterMs?: number | undefined;
      readonly mayBeContent?: boolean;
    };

/** Where events go. */
export interface Sink {
  /** For people, without secrets. */
  readonly target: string;
  createBatch<Event extends ReceivedEvent>(): SinkBatch<Event>;
  prepare<Event extends ReceivedEvent>(parts: readonly SinkPart<Event>[]): Promise<SinkRequest>;
  /** One attempt. Never rejects; ends when the signal is aborted, as failed. */
  send(request: SinkRequest, signal: AbortSignal): Promise<SinkOutcome>;
  /** Whether it says of itself that it works; undefined: it cannot be asked. */
  isReady(signal: AbortSignal): Promise<boolean | undefined>;
  /** Tries address and credentials. @throws EVENTS_TARGET_UNREACHABLE, EVENTS_TARGET_REFUSES */
  verify(signal: AbortSignal): Promise<void>;
  /** Answers by status, failures by their kind. */
  readonly statuses: ReadonlyMap<string, number>;
  /** Seconds from request to answer. */
  readonly latency: SinkLatency;
  close(): Promise<void>;
}

export interface SinkLatency {
  readonly bounds: readonly number[];
  readonly counts: ArrayLike<number>;
  readonly sum: number;
}

/** What must be delivered in order: the events of one task, or one worker. */
export function entityOf(event: CeleryEvent): string {
  return "uuid" in event ? event.uuid : event.hostname;
}
