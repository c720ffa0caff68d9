/** What the fake FeatBit may be told to do wrong. */
import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How the upgrade to a WebSocket goes. A status answers it instead; `close` accepts it, then closes at once. */
export type UpgradeFault =
  | "hang"
  | "reset"
  | { readonly status: number; readonly retryAfter?: string }
  | { readonly close: number };

/** How an HTTP request is answered. A status alone is an answer without a body, and nothing is done. */
export interface HttpFault {
  readonly status?: number;
  readonly retryAfter?: string;
  readonly delayMs?: number;
  /** The connection is reset, after the delay. */
  readonly reset?: boolean;
  /** No answer ever comes. */
  readonly hang?: boolean;
  /** The request is taken, then the fault follows: the sender does not know that it arrived. */
  readonly afterTaking?: boolean;
}

/** How an item's body goes wrong on its way. */
export type Spoiling = (typeof spoilings)[number];

export const spoilings = [
  "is text",
  "is null",
  "without id",
  "without updatedAt",
  "with a wrong updatedAt",
  "without variations and rules",
  "with rules of text",
] as const;

export interface FeatbitFaults {
  /** Every push is sent this many times more. */
  duplicates: number;
  /** Nothing is answered nor pushed, protocol pings neither; sockets stay open. What was not sent is lost. */
  silent: boolean;
  /** Before each answer on a socket. */
  delayMs: number;
  upgrade: UpgradeFault | undefined;
  register: HttpFault | undefined;
  insights: HttpFault | undefined;
  /** Environments that `rp_full` leaves out though they are in scope. */
  readonly omitted: Set<string>;
  /** Items by id that go wrong whenever they are sent. */
  readonly spoilt: Map<string, Spoiling>;
  /** A list that the items of answers, and pushes, lack. */
  lacking: "featureFlags" | "segments" | undefined;
  /** Environments, flags and segments come last first in answers. */
  reversed: boolean;
  /** So many of the next messages are cut in the middle of their frame, and the connection is reset. */
  cuts: number;
}

export const noFaults = (): FeatbitFaults => ({
  duplicates: 0,
  silent: false,
  delayMs: 0,
  upgrade: undefined,
  register: undefined,
  insights: undefined,
  omitted: new Set(),
  spoilt: new Map(),
  lacking: undefined,
  reversed: false,
  cuts: 0,
});

/** The item as the fault leaves it, to be written as JSON. */
export function spoil(item: Readonly<Record<string, unknown>>, how: Spoiling | undefined): unknown {
  const { id, updatedAt, variations, rules, ...rest } = item;
  switch (how) {
    case undefined:
      return item;
    case "is text":
      return "spoilt";
    case "is null":
      return null;
    case "without id":
      return { updatedAt, variations, rules, ...rest };
    case "without updatedAt":
      return { id, variations, rules, ...rest };
    case "with a wrong updatedAt":
      return { ...item, updatedAt: "yesterday" };
    case "without variations and rules":
      return { id, updatedAt, ...rest };
    case "with rules of text":
      return { ...item, rules: "spoilt" };
  }
}

/** Does what the fault says; false when the request is to be answered as usual, after the fault's delay. */
export async function answerWrong(fault: HttpFault, response: ServerResponse): Promise<boolean> {
  if (fault.hang) return true;
  if (fault.delayMs !== undefined) await sleep(fault.delayMs);
  if (fault.reset) response.socket?.resetAndDestroy();
  else if (fault.status === undefined) return false;
  else {
    const headers = fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter };
    response.writeHead(fault.status, headers).end();
  }
  return true;
}
