import { once } from "node:events";
import { WebSocket } from "ws";
import type { FakeFeatbit } from "../../src/featbit/fake.ts";
import { until } from "../../src/until.ts";

/** A socket as an agent opens it, which keeps what it is told. */
export interface RelayClient extends Disposable {
  readonly ws: WebSocket;
  /** In order, as text. */
  readonly received: string[];
  /** Close code, once it is closed. */
  readonly closed: Promise<number>;
  send(message: unknown): void;
  /** Resolves with the message at this place, parsed. */
  message(at: number): Promise<{ messageType: string; data: Record<string, never> & { items: never[] } }>;
}

export async function connectRelay(featbit: FakeFeatbit, key: string): Promise<RelayClient> {
  const ws = new WebSocket(`${featbit.streamingUrl}/streaming?type=relay-proxy&token=${key}`);
  const received: string[] = [];
  ws.on("message", (data) => received.push(String(data)));
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  ws.on("error", () => {});
  await Promise.race([once(ws, "open"), closed]);
  return {
    ws,
    received,
    closed,
    send: (message) => ws.send(JSON.stringify(message)),
    async message(at) {
      await until(`message ${at}`, async () => received.length > at, 5000);
      return JSON.parse(received[at] ?? "");
    },
    [Symbol.dispose]: () => ws.terminate(),
  };
}

export const fullRequest = { messageType: "data-sync", data: { timestamp: 0 } } as const;
