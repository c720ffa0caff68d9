/** The server's side of the sockets of agents: `/streaming?type=relay-proxy`. */

import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import { resetSocket } from "../reset-socket.ts";
import { writeJson } from "./dotnet-json.ts";
import { type FeatbitFaults, spoil } from "./faults.ts";
import { frameHead } from "./frames.ts";
import { type Incoming, onMessages } from "./messages.ts";
import type { Flag, Segment } from "./shapes.ts";
import type { ItemKind } from "./truth.ts";
import type { Environment, FeatbitWorld } from "./world.ts";

/** A message that an agent sent. */
export interface AgentMessage {
  readonly key: string;
  readonly text: string;
  readonly bytes: number;
  /** Longer than four reads of 2,048 bytes: the server has ignored it. */
  readonly isDropped: boolean;
}

export interface RelayStream {
  /** How many sockets are open. */
  readonly open: number;
  accept(key: string, ws: WebSocket, socket: Socket): void;
  /** Pushes one item to every logical connection of its environment. */
  push(envId: string, kind: ItemKind, item: Flag | Segment): void;
  /** Sends this to every socket as it stands; bytes as a binary message. */
  send(message: string | Uint8Array): void;
  close(code: number, reason: string): void;
  reset(): void;
}

export interface RelayStreamOptions {
  readonly world: FeatbitWorld;
  readonly faults: FeatbitFaults;
  onMessage(message: AgentMessage): void;
  onStatus(agentId: string, status: string): void;
}

interface Relay {
  readonly key: string;
  readonly ws: WebSocket;
  readonly socket: Socket;
  /** The environment of each server secret that was in scope when the socket was opened. */
  readonly logical: readonly string[];
}

const cutAfterMs = 20;

export function createRelayStream(options: RelayStreamOptions): RelayStream {
  const { world, faults } = options;
  const relays = new Set<Relay>();

  function deliver({ ws, socket }: Relay, text: string): void {
    if (faults.silent) return;
    if (faults.cuts === 0) {
      ws.send(text);
      return;
    }
    faults.cuts--;
    const body = Buffer.from(text);
    socket.write(frameHead(body.length));
    socket.write(body.subarray(0, body.length >> 1));
    // What was written arrives before the reset does.
    setTimeout(() => resetSocket(socket), cutAfterMs);
  }

  async function answer(relay: Relay, text: string): Promise<void> {
    if (faults.delayMs > 0) await sleep(faults.delayMs);
    deliver(relay, text);
  }

  function take(relay: Relay, message: Incoming): void {
    const { key } = relay;
    options.onMessage({ key, text: message.text, bytes: message.bytes, isDropped: message.isDropped });
    if (faults.silent) return;
    if (message.type === "ping") void answer(relay, '{"messageType":"pong","data":{}}');
    else if (message.type === "echo")
      void answer(relay, writeJson({ messageType: "echo", data: message.data }));
    else if (message.type === "data-sync") {
      const data = syncData(relay, message.data);
      if (data !== undefined) void answer(relay, writeJson({ messageType: "data-sync", data }));
    } else if (message.type === "rp-agent-status") {
      const { agentId, status } = (message.data ?? {}) as Record<string, unknown>;
      if (typeof agentId === "string" && typeof status === "string") options.onStatus(agentId, status);
    }
  }

  function syncData({ key, logical }: Relay, data: unknown): unknown {
    const { timestamp = 0, envs = [] } = (data ?? {}) as {
      timestamp?: unknown;
      envs?: readonly { envId: string; timestamp: number }[];
    };
    if (typeof timestamp !== "number") return undefined;
    if (timestamp === 0 || !Number.isInteger(timestamp)) {
      const scope = world.scopeOf(key).filter(({ envId }) => !faults.omitted.has(envId));
      return { eventType: "rp_full", items: ordered(scope).map((environment) => itemOf(environment)) };
    }
    const known = new Map(envs.map((env) => [env.envId.toLowerCase(), env.timestamp]));
    const items = logical.map((envId) => itemOf(world.environment(envId), known.get(envId) ?? 0));
    return { eventType: "rp_patch", items: ordered(items) };
  }

  const ordered = <T>(list: readonly T[]): readonly T[] => (faults.reversed ? list.toReversed() : list);

  /** With a timestamp only what is newer, and no secrets. */
  function itemOf({ envId, secrets }: Environment, since?: number): unknown {
    const { featureFlags, segments } = world.changesSince(envId, since ?? Number.NEGATIVE_INFINITY);
    return {
      envId,
      secrets: since === undefined ? secrets : [],
      ...lists(ordered(featureFlags), ordered(segments)),
    };
  }

  function lists(featureFlags: readonly Flag[], segments: readonly Segment[]): object {
    const sent = {
      featureFlags: featureFlags.map((item) => spoil(item, faults.spoilt.get(item.id))),
      segments: segments.map((item) => spoil(item, faults.spoilt.get(item.id))),
    };
    return Object.fromEntries(Object.entries(sent).filter(([name]) => name !== faults.lacking));
  }

  return {
    get open() {
      return relays.size;
    },
    accept(key, ws, socket) {
      const secrets = world.hasRelayKey(key)
        ? world.scopeOf(key).flatMap((environment) => environment.secrets)
        : [];
      const logical = secrets.filter(({ type }) => type === "server").map(({ envId }) => envId);
      ws.on("error", () => ws.terminate());
      if (logical.length === 0) return ws.close(4003, "invalid request, close by server");
      const relay: Relay = { key, ws, socket, logical };
      relays.add(relay);
      ws.on("close", () => relays.delete(relay));
      ws.on("ping", (data) => !faults.silent && ws.pong(data));
      onMessages(ws, socket, (message) => take(relay, message));
    },
    push(envId, kind, item) {
      const data = {
        eventType: "patch",
        ...(kind === "flag" ? lists([item as Flag], []) : lists([], [item as Segment])),
      };
      const text = writeJson({ messageType: "data-sync", data });
      for (const relay of relays) {
        for (const logical of relay.logical) {
          for (let i = 0; i <= faults.duplicates && logical === envId; i++) deliver(relay, text);
        }
      }
    },
    send(message) {
      for (const { ws } of relays) ws.send(message);
    },
    close(code, reason) {
      for (const { ws } of relays) ws.close(code, reason);
    },
    reset() {
      for (const { socket } of relays) resetSocket(socket);
    },
  };
}
