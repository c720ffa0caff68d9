/**
 * Between a broker and the spool. A source brings messages; the intake keeps them on disk and says when they are safe.
 * Nothing is acknowledged to a broker before that.
 */
import type { Part } from "@posthouse/service";
import type { BrokerMessage } from "./celery/message.ts";

/** Where a source leaves what it receives. */
export interface Intake {
  /**
   * Keeps a message. `done` is called once it is durable, in the order of `take`; never for what is refused. False: there
   * is no room, or the disk fails; the source holds the message and offers it again after `onRoom`.
   */
  take(message: BrokerMessage, done: () => void): boolean;
  /** Calls back when there is room again; once. */
  onRoom(listener: () => void): void;
}

export type SourceState = "stopped" | "connecting" | "receiving" | "blocked" | "paused";

/** Of one of two agents, of which one delivers (Redis only). */
export interface PairStatus {
  readonly isLeading: boolean;
  /** What the standby holds in case that it has to lead. */
  readonly held: number;
  /** Given up before their time, because they were too many bytes. */
  readonly heldShort: number;
  /** Delivered when the lease changed hands: the other one may have delivered them too. */
  readonly overlap: number;
  /** Times at which we began to lead. */
  readonly takeovers: number;
}

export interface SourceStatus {
  readonly state: SourceState;
  /** The broker in use, without its password. */
  readonly broker: string;
  readonly since: Date;
  readonly lastError?: { readonly message: string; readonly at: Date } | undefined;
  /** Times at which events may have been missed: a disconnect, a cut by the server, our own policy (Redis only). */
  readonly gaps: number;
  /** Messages received. */
  readonly received: number;
  /** Messages given up by policy. */
  readonly dropped: number;
  /** Received, and not durable yet. */
  readonly pending: number;
  /** Why the broker holds us back, in its words; while it does. */
  readonly heldBackFor?: string | undefined;
  readonly pair?: PairStatus | undefined;
}

/** A connection to one subscription's broker that is made again for ever. `stop` settles what is pending first. */
export interface Source extends Part {
  readonly status: SourceStatus;
  /** Receives nothing more until `resume`; the broker keeps what it can. */
  pause(): void;
  resume(): void;
}
