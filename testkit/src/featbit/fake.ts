/**
 * A FeatBit that agents take for one: registration, the relay's socket, insights, and the portal's Sync button, as the
 * evaluation server of 5.x does them, bytes and quirks included. Its `world` is the truth, its `faults` are what goes
 * wrong on the way.
 */

import { createServer, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { WebSocketServer } from "ws";
import { resetSocket } from "../reset-socket.ts";
import { type FeatbitFaults, noFaults, type UpgradeFault } from "./faults.ts";
import { createHttpRoutes, type HttpRecord } from "./http-routes.ts";
import { pressSync, type SyncOutcome } from "./portal-sync.ts";
import { type AgentMessage, createRelayStream } from "./relay-stream.ts";
import { createSdkStream } from "./sdk-stream.ts";
import type { Flag, Segment } from "./shapes.ts";
import type { ItemKind } from "./truth.ts";
import { FeatbitWorld } from "./world.ts";

export interface FakeFeatbit extends AsyncDisposable, HttpRecord {
  /** `ws://127.0.0.1:PORT`, for StreamingUri. */
  readonly streamingUrl: string;
  /** `http://127.0.0.1:PORT`, for EventUri. */
  readonly eventUrl: string;
  readonly world: FeatbitWorld;
  readonly faults: FeatbitFaults;
  /** Open sockets of agents. */
  readonly agentSockets: number;
  /** Open sockets of SDKs that connected here without an agent. */
  readonly sdkSockets: number;
  /** Paths with query of every upgrade that was asked for, in order. */
  readonly upgrades: string[];
  /** Every message that agents sent, in order. */
  readonly messages: AgentMessage[];
  /** From now on pushes wait. */
  hold(): void;
  /** Pushes what waited, in its order or the last first, and lets later ones pass. */
  release(order?: "kept" | "reversed"): void;
  /** Pushes an item again, as it was at a version counted from the oldest, 0, or from the newest, -1. */
  pushAgain(envId: string, kind: ItemKind, id: string, version: number): void;
  /** Sends this to every agent as it stands; bytes as a binary message. */
  send(message: string | Uint8Array): void;
  /** Closes all sockets with this code; 1006 resets them. */
  close(code: number, reason?: string): void;
  /** Nobody listens any more; what stood is reset. */
  refuse(): Promise<void>;
  /** Listens again, at the same address. */
  comeBack(): Promise<void>;
  /** The portal's Sync button, for a manual agent. Its address is used as it was typed. */
  sync(agentUrl: string, key: string): Promise<SyncOutcome>;
}

export interface FakeFeatbitOptions {
  /** Where the socket's path begins, such as `/els`. Registration never has it. */
  readonly prefix?: string;
}

export async function createFakeFeatbit({ prefix = "" }: FakeFeatbitOptions = {}): Promise<FakeFeatbit> {
  const faults = noFaults();
  let held: [envId: string, kind: ItemKind, item: Flag | Segment][] | undefined;
  const publish = (envId: string, kind: ItemKind, item: Flag | Segment): void => {
    if (held !== undefined) return void held.push([envId, kind, item]);
    relays.push(envId, kind, item);
    sdks.push(envId, kind, item);
  };
  const world = new FeatbitWorld(publish);
  const record: HttpRecord = { agents: new Map(), registrations: [], insights: [], quota: 9 };
  const messages: AgentMessage[] = [];
  const relays = createRelayStream({
    world,
    faults,
    onMessage: (message) => messages.push(message),
    onStatus: (agentId, status) => {
      const agent = record.agents.get(agentId);
      if (agent !== undefined) agent.status = status;
    },
  });
  const sdks = createSdkStream(world, faults);
  const routes = createHttpRoutes(world, faults, record);

  const upgrades: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    request.on("error", () => {});
    response.on("error", () => {});
    routes(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  const acceptor = new WebSocketServer({ noServer: true, clientTracking: false, autoPong: false });
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    upgrades.push(request.url ?? "");
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://featbit");
    if (!`${pathname}/`.startsWith(`${prefix}/streaming/`))
      return void socket.end("HTTP/1.1 404 Not Found\r\n\r\n");
    const fault = faults.upgrade;
    if (fault !== undefined && !(typeof fault === "object" && "close" in fault))
      return refuseUpgrade(socket, fault);
    acceptor.handleUpgrade(request, socket, head, (ws) => {
      if (fault !== undefined) {
        ws.on("error", () => ws.terminate());
        ws.close(fault.close);
      } else if (searchParams.get("type") === "relay-proxy")
        relays.accept(searchParams.get("token") ?? "", ws, socket);
      else sdks.accept(searchParams, ws, socket);
    });
  });

  let port = 0;
  const listen = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", 4096, () => {
        server.off("error", reject);
        resolve();
      });
    });
  const refuse = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) resetSocket(socket);
    });
  for (let attempt = 1; ; attempt++) {
    port = firstPort + Math.floor(Math.random() * ports);
    const taken = await listen().catch((error: unknown) => error);
    if (taken === undefined) break;
    if (attempt === 20) throw taken;
  }

  return {
    agents: record.agents,
    registrations: record.registrations,
    insights: record.insights,
    get quota() {
      return record.quota;
    },
    set quota(most) {
      record.quota = most;
    },
    streamingUrl: `ws://127.0.0.1:${port}${prefix}`,
    eventUrl: `http://127.0.0.1:${port}`,
    world,
    faults,
    get agentSockets() {
      return relays.open;
    },
    get sdkSockets() {
      return sdks.open;
    },
    upgrades,
    messages,
    hold() {
      held ??= [];
    },
    release(order = "kept") {
      const waiting = held ?? [];
      held = undefined;
      for (const push of order === "kept" ? waiting : waiting.toReversed()) publish(...push);
    },
    pushAgain(envId, kind, id, version) {
      const item = world.versions(envId, kind, id).at(version);
      if (item === undefined) throw new Error(`${kind} ${id} has no version ${version}`);
      publish(envId, kind, item);
    },
    send: relays.send,
    close(code, reason = "") {
      for (const stream of [relays, sdks]) {
        if (code === 1006) stream.reset();
        else stream.close(code, reason);
      }
    },
    refuse,
    comeBack: listen,
    sync: (agentUrl, key) => pressSync(world, agentUrl, key),
    async [Symbol.asyncDispose]() {
      if (server.listening) await refuse();
    },
  };
}

/** Below those that systems give to who asks for any port: while nobody listens, nobody else gets it. */
const firstPort = 20_000;
const ports = 10_000;

function refuseUpgrade(socket: Socket, fault: Exclude<UpgradeFault, { close: number }>): void {
  if (fault === "hang") return;
  if (fault === "reset") return void resetSocket(socket);
  const body = JSON.stringify({ error: "the request was refused" });
  const retry = fault.retryAfter === undefined ? "" : `Retry-After: ${fault.retryAfter}\r\n`;
  const head = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${retry}`;
  socket.end(`HTTP/1.1 ${fault.status} Refused\r\n${head}\r\n${body}`);
}
