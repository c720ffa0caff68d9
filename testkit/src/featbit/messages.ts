/** How FeatBit's server takes messages from sockets, of agents and of SDKs alike. */
import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import { ReadCounter } from "./frames.ts";

export interface Incoming {
  readonly text: string;
  readonly bytes: number;
  readonly isDropped: boolean;
  /** Undefined when it is dropped, or not a message: nothing is done then. */
  readonly type: string | undefined;
  readonly data: unknown;
}

const mostReads = 4;

/** Calls `take` with each message in order. A binary message is taken as text. */
export function onMessages(ws: WebSocket, socket: Socket, take: (message: Incoming) => void): void {
  const counter = new ReadCounter();
  socket.prependListener("data", (chunk: Buffer) => counter.take(chunk));
  ws.on("message", (raw: RawData) => {
    const body = raw as Buffer;
    const isDropped = counter.next() > mostReads;
    const text = body.toString();
    take({ text, bytes: body.length, isDropped, ...(isDropped ? nothing : parse(text)) });
  });
}

const nothing = { type: undefined, data: undefined };

function parse(text: string): Pick<Incoming, "type" | "data"> {
  try {
    const fields = JSON.parse(text) as unknown;
    if (typeof fields !== "object" || fields === null) return nothing;
    const [, type] = Object.entries(fields).find(([name]) => name.toLowerCase() === "messagetype") ?? [];
    return typeof type === "string" && "data" in fields ? { type, data: fields.data } : nothing;
  } catch {
    return nothing;
  }
}
