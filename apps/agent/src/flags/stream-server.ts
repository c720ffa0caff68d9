/**
 * `/streaming`: the sockets of SDKs and relays (3.5 to 3.7, 3.12). The only file that knows `ws`, which shakes hands,
 * reads and closes; messages are written as whole frames past it, so that what many are told is encoded once.
 */
import type { Duplex } from "node:stream";
import type { Log } from "@posthouse/service";
import { type RawData, type ServerOptions, WebSocket, WebSocketServer } from "ws";
import type { Exchange } from "../http/exchange.ts";
import type { Admission } from "./admission.ts";
import { createFanOut, type FanOut, type FanOutLimits } from "./fan-out.ts";
import type { Feeds } from "./feeds.ts";
import type { FlagMetrics } from "./metrics.ts";
import { Session, type SessionSocket } from "./session.ts";
import type { Frame } from "./text-frame.ts";

export interface StreamServer {
  limits: FanOutLimits;
  /** Takes a request that asks for a WebSocket; every outcome but a malformed handshake is told on the socket. */
  accept(exchange: Exchange, query: ReadonlyMap<string, string>): void;
  readonly sessions: ReadonlySet<Session>;
  /** Ends the session of a connection because this server stops; nothing when it has none. */
  leave(connection: Duplex): void;
  start(): void;
  /** Cuts what is left. */
  stop(): void;
}

export interface StreamServerOptions {
  readonly feeds: Feeds;
  readonly admit: (query: ReadonlyMap<string, string>) => Admission;
  readonly limits: FanOutLimits;
  readonly metrics: FlagMetrics;
  readonly onStatus: (session: Session, data: unknown) => void;
  readonly log: Log;
}

/** Above it the connection is closed, with 1009: what is being received has to be kept. */
const maxPayload = 1024 * 1024;
/** For how long a peer may leave our close unanswered. */
const closeTimeout = 2000;
const skewLogMs = 60_000;

/**
 * Where messages to one socket are made. Nearly every write to a plain socket is over when it returns, and then the next
 * message may take the place of the last.
 */
let scratch: Buffer | undefined;
const scratchBytes = 32 * 1024;

/** A socket as `ws` makes it, with what belongs to it; no closures, there are thousands of them. */
class StreamSocket extends WebSocket implements SessionSocket {
  session: Session | undefined;
  connection: Duplex | undefined;

  get isOpen(): boolean {
    return this.readyState === WebSocket.OPEN;
  }

  get queuedBytes(): number {
    return this.connection?.writableLength ?? 0;
  }

  write(frame: Frame): void {
    if (!this.isOpen || this.connection === undefined) return;
    const isLater = "encrypted" in this.connection;
    if (typeof frame !== "string") this.connection.write(frame);
    else if (isLater || frame.length > scratchBytes) this.connection.write(Buffer.from(frame, "latin1"));
    else {
      scratch ??= Buffer.allocUnsafeSlow(scratchBytes);
      this.connection.write(scratch.subarray(0, scratch.write(frame, "latin1")));
      if (this.queuedBytes > 0) scratch = undefined;
    }
  }

  probe(): void {
    if (this.isOpen) this.ping();
  }

  cut(): void {
    this.terminate();
  }
}

export function createStreamServer(options: StreamServerOptions): StreamServer {
  const { feeds, admit, metrics, onStatus, log } = options;
  const settings: ServerOptions<typeof StreamSocket> & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload,
    closeTimeout,
    WebSocket: StreamSocket,
  };
  const acceptor = new WebSocketServer(settings);
  const sessions = new Set<Session>();
  const byConnection = new Map<Duplex, StreamSocket>();
  const fanOut: FanOut = createFanOut(options.limits);
  let sweeper: NodeJS.Timeout | undefined;
  let skewLoggedAt = Number.NEGATIVE_INFINITY;

  feeds.onChange(({ environments }) => {
    for (const session of sessions) {
      if (session.topic.kind === "relay" || environments.size > 0) fanOut.schedule(session);
    }
  });

  function onMessage(this: WebSocket, data: RawData): void {
    const { session } = this as StreamSocket;
    if (session?.socket.isOpen !== true) return;
    session.take(data as Buffer, onStatus);
    const { socket } = session;
    if (socket.queuedBytes > session.behindBytes + fanOut.limits.queue) {
      session.counters.lost("queue").value++;
      socket.close(1013, "reads too slowly");
    } else fanOut.schedule(session);
  }

  function onPong(this: WebSocket): void {
    const { session } = this as StreamSocket;
    if (session !== undefined) session.heardAt = performance.now();
  }

  function onClose(this: WebSocket): void {
    const { session, connection } = this as StreamSocket;
    if (connection !== undefined) byConnection.delete(connection);
    if (session === undefined) return;
    sessions.delete(session);
    metrics.sessions(session.topic).value--;
  }

  function onError(this: WebSocket): void {
    metrics.broken.value++;
  }

  /** Silent peers are asked once, and then given up. */
  function sweep(): void {
    const now = performance.now();
    const { silence } = fanOut.limits;
    for (const session of sessions) {
      const silentMs = now - session.heardAt;
      if (silentMs > silence) {
        session.counters.lost("silent").value++;
        session.socket.cut();
      } else if (silentMs > silence / 2) session.socket.probe();
    }
  }

  function welcome(ws: StreamSocket, admission: Admission): void {
    ws.on("close", onClose).on("error", onError);
    if ("cause" in admission) {
      metrics.refused(admission.cause).value++;
      logRefusal(admission);
      ws.close(admission.code, admission.reason);
      return;
    }
    const { topic } = admission;
    const session = new Session(topic, ws, metrics.sessionCounters(topic));
    ws.session = session;
    ws.on("message", onMessage).on("pong", onPong);
    sessions.add(session);
    metrics.sessions(topic).value++;
  }

  function logRefusal({ cause, skewMs }: Extract<Admission, { cause: string }>): void {
    log.debug({ cause, skewMs }, "refused an SDK");
    if (skewMs === undefined || performance.now() - skewLoggedAt < skewLogMs) return;
    skewLoggedAt = performance.now();
    log.warn(
      { skewSeconds: Math.round(skewMs / 1000) },
      "refused an SDK for good: its clock and this machine's differ by more than flags.token_tolerance",
    );
  }

  return {
    get limits() {
      return fanOut.limits;
    },
    set limits(limits) {
      fanOut.limits = limits;
    },
    sessions,
    accept(exchange, query) {
      const request = handshakeOf(exchange);
      const connection = exchange.switchProtocols(undefined);
      acceptor.handleUpgrade(request, connection, Buffer.alloc(0), (ws) => {
        const socket = ws as StreamSocket;
        socket.connection = connection;
        byConnection.set(connection, socket);
        welcome(socket, admit(query));
      });
      connection.resume();
    },
    leave: (connection) => byConnection.get(connection)?.close(1001, "going away"),
    start() {
      sweeper ??= setInterval(sweep, Math.max(100, Math.min(5000, fanOut.limits.silence / 4)));
    },
    stop() {
      clearInterval(sweeper);
      sweeper = undefined;
      fanOut.stop();
      for (const socket of byConnection.values()) socket.terminate();
    },
  };
}

/** As much of a request as a handshake looks at. */
function handshakeOf({ method, target, rawHeaders }: Exchange): Handshake {
  const headers: Record<string, string> = {};
  for (let index = 0; index < rawHeaders.length; index += 2)
    headers[rawHeaders[index]?.toLowerCase() ?? ""] ??= rawHeaders[index + 1] ?? "";
  return { method, url: target, headers } as unknown as Handshake;
}

type Handshake = Parameters<WebSocketServer["handleUpgrade"]>[0];
