import type { Histogram } from "../core/histogram.ts";
import type { Tally } from "../core/metrics.ts";
import { type DropReason, parseMessage } from "./message.ts";
import { encodeFrame, type Frame } from "./text-frame.ts";
import { joinRequests, type SyncRequest, type Topic } from "./topic.ts";

/** A session's way to its peer. */
export interface SessionSocket {
  readonly isOpen: boolean;
  /** Bytes that the peer has not taken yet. */
  readonly queuedBytes: number;
  write(frame: Frame): void;
  /** Says goodbye, and cuts the connection when the peer does not answer. */
  close(code: number, reason: string): void;
  /** Asks whether the peer is still there. */
  probe(): void;
  cut(): void;
}

export interface SessionCounters {
  readonly received: (type: string) => Tally;
  readonly sent: Tally;
  readonly dropped: (reason: DropReason) => Tally;
  readonly fanOut: Histogram;
  readonly lost: (reason: LossReason) => Tally;
}

/** Why we ended a session that was in order. */
export type LossReason = "slow" | "queue" | "silent";

const pong = encodeFrame('{"messageType":"pong","data":{}}');

/** One SDK or relay on a socket: what it asked for, and up to where it was told. */
export class Session {
  readonly topic: Topic;
  readonly socket: SessionSocket;
  readonly counters: SessionCounters;
  /** When something came from it last, `performance.now()`. */
  heardAt: number = performance.now();
  isQueued = false;
  /** Since when it has not taken what it was sent; 0 when it has. */
  behindSince = 0;
  /** How much that was at first. */
  behindBytes = 0;
  /** It was told all up to this change; -1 before its first data-sync, when it is owed nothing. */
  #told = -1;
  #request: SyncRequest | undefined;

  constructor(topic: Topic, socket: SessionSocket, counters: SessionCounters) {
    this.topic = topic;
    this.socket = socket;
    this.counters = counters;
  }

  get isDue(): boolean {
    return this.#request !== undefined || (this.#told >= 0 && this.#told < this.topic.number);
  }

  /** Takes a message. What is to be answered from the data is due afterwards; the rest is answered at once. */
  take(bytes: Buffer, onStatus: (session: Session, data: unknown) => void): void {
    this.heardAt = performance.now();
    const message = parseMessage(bytes);
    if (message === undefined) return;
    if (typeof message === "string") {
      this.#drop(message);
      return;
    }
    const { type } = message;
    this.counters.received(type).value++;
    if (type === "ping") this.#send(pong);
    else if (type === "echo")
      this.#send(encodeFrame(JSON.stringify({ messageType: "echo", data: message.data })));
    else if (type === "rp-agent-status") onStatus(this, message.data);
    else this.#ask(message.data);
  }

  #ask(data: unknown): void {
    const request = this.topic.accept(data);
    if (typeof request === "string") this.#drop(request);
    else this.#request = joinRequests(this.#request, request);
  }

  /** Sends what is due. */
  tell(): void {
    const request = this.#request;
    const told = this.#told;
    this.#request = undefined;
    this.#told = this.topic.number;
    const frames = request === undefined ? this.topic.update(told) : this.topic.answer(request);
    for (const frame of frames) this.#send(frame);
    if (request === undefined && frames.length > 0)
      this.counters.fanOut.observe((performance.now() - this.topic.changedAt) / 1000);
  }

  #send(frame: Frame): void {
    this.counters.sent.value++;
    this.socket.write(frame);
  }

  #drop(reason: DropReason): void {
    this.counters.dropped(reason).value++;
  }
}
