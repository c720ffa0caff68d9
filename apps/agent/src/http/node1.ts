/**
 * HTTP/1 by node:http: the only file that knows it. It accepts, bounds and refuses; what is left reaches the handler as
 * an Exchange. The hit path makes one small object per request, no closure and no promise, and `request.headers` (which
 * would build an object of all headers) is never touched.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { closeServer, type ListenAddress, type Log, listenOn, type Part } from "@posthouse/service";
import type { Metrics, Tally } from "../core/metrics.ts";
import type { Door } from "./door.ts";
import { answerText, type ExchangeHandler } from "./exchange.ts";
import { Node1Exchange } from "./node1-exchange.ts";
import { createPipelines } from "./node1-pipelines.ts";
import {
  endBroken,
  endRefused,
  parserRefusal,
  pendingResponse,
  type RefusalReason,
} from "./node1-refusals.ts";
import { type RequestFacts, readRequest } from "./node1-request.ts";
import { UpgradeExchange } from "./node1-upgrade.ts";
import { createNode2Sessions } from "./node2.ts";
import { setPeer } from "./peer.ts";

export interface HttpServer extends Part {
  /** Who answers and what is counted; replaced when the configuration changes. */
  role: ServerRole;
  /** Where it listens, from `start` on. */
  readonly address: ListenAddress | undefined;
}

export interface ServerRole {
  readonly handler: ExchangeHandler;
  readonly counters: HttpCounters;
  /** What connections pass first. */
  readonly door?: Door | undefined;
}

export interface HttpServerOptions {
  readonly name: string;
  readonly listen: ListenAddress;
  readonly role: ServerRole;
  readonly log: Log;
}

export interface HttpCounters {
  readonly requests: Tally;
  readonly connections: Tally;
  readonly open: Tally;
  readonly refused: Readonly<Record<RefusalReason, Tally>>;
  readonly failed: Tally;
}

const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 65_000,
};
const maxRequestsPerConnection = 100_000;
const maxConnections = 10_000;

/** Registers what HTTP servers count; the label `listener` tells them apart. */
export function createHttpCounters(metrics: Metrics): (listener: string) => HttpCounters {
  const requests = metrics.counter("posthouse_http_requests_total", "Requests that arrived.", ["listener"]);
  const connections = metrics.counter("posthouse_http_connections_total", "Connections accepted.", [
    "listener",
  ]);
  const refused = metrics.counter("posthouse_http_refused_total", "Requests and connections refused.", [
    "listener",
    "reason",
  ]);
  const failed = metrics.counter("posthouse_http_failed_total", "Requests answered with 500.", ["listener"]);
  const open = new Map<string, Tally>();
  metrics.gauge("posthouse_http_open_connections", "Connections open now.", ["listener"], (report) => {
    for (const [listener, { value }] of open) report({ listener }, value);
  });
  return (listener) => {
    const openHere = open.get(listener) ?? { value: 0 };
    open.set(listener, openHere);
    const refusal = (reason: RefusalReason): Tally => refused.with({ listener, reason });
    return {
      requests: requests.with({ listener }),
      connections: connections.with({ listener }),
      open: openHere,
      failed: failed.with({ listener }),
      refused: {
        host: refusal("host"),
        syntax: refusal("syntax"),
        too_large: refusal("too_large"),
        timeout: refusal("timeout"),
        connections: refusal("connections"),
        tls: refusal("tls"),
        proxy_protocol: refusal("proxy_protocol"),
        resets: refusal("resets"),
      },
    };
  };
}

/** Makes a server for one address. `stop` lets running requests finish, telling their clients to reconnect. */
export function createNode1Server(options: HttpServerOptions): HttpServer {
  const { name, listen, log } = options;
  let server: Server | undefined;
  let address: ListenAddress | undefined;
  const state = { draining: false };
  const pipelines = createPipelines();
  /** Connections whose bytes make no sense any more. */
  const broken = new WeakSet<Duplex>();
  /** Connections on which nothing of HTTP was said yet. */
  const entering = new Set<Socket>();
  const node2 = createNode2Sessions({ name, role: () => part.role, log });

  const part: HttpServer = {
    name,
    role: options.role,
    get address() {
      return address;
    },
    async start() {
      state.draining = false;
      const made = createServer(
        { ...limits, requireHostHeader: false, optimizeEmptyRequests: true, shouldUpgradeCallback },
        onRequest,
      );
      made.on("checkContinue", (request, response) => onRequest(request, response, true));
      made.on("checkExpectation", onExpectation);
      made.on("upgrade", onUpgrade);
      made.on("connect", onConnect);
      made.maxRequestsPerSocket = maxRequestsPerConnection;
      made.maxConnections = maxConnections;
      made.on("clientError", onClientError);
      const [serveHttp1] = made.listeners("connection") as ((socket: Socket) => void)[];
      made.removeAllListeners("connection");
      made.on("connection", (socket) => onConnection(socket, (ready) => serveHttp1?.call(made, ready)));
      made.on("drop", () => part.role.counters.refused.connections.value++);
      address = await listenOn(made, listen);
      made.on("error", (error) => log.error({ error, listener: name }, "the listener failed"));
      server = made;
    },
    async stop(deadlineMs) {
      state.draining = true;
      for (const socket of entering) socket.destroy();
      node2.drain();
      const timer = setTimeout(() => node2.destroy(), deadlineMs);
      if (server) await closeServer(server, deadlineMs);
      clearTimeout(timer);
    },
  };

  function onConnection(socket: Socket, serveHttp1: (socket: Socket) => void): void {
    const { counters, door } = part.role;
    counters.connections.value++;
    counters.open.value++;
    socket.once("close", () => counters.open.value--);
    if (listen.path !== undefined) setPeer(socket, "unix");
    if (door === undefined) {
      serveHttp1(socket);
      return;
    }
    entering.add(socket);
    socket.once("close", () => entering.delete(socket));
    door.enter(
      socket,
      (ready, protocol) => {
        entering.delete(socket);
        if (protocol === "h2") node2.accept(ready);
        else serveHttp1(ready);
      },
      (what, reason) => {
        counters.refused[what].value++;
        log.debug({ listener: name, what, reason }, "refused a connection");
      },
    );
  }

  function onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue = false): void {
    part.role.counters.requests.value++;
    const facts = readRequest(request);
    // What was pipelined waits for its turn: only safe requests may run side by side (RFC 9112, 9.3.2).
    if (response.socket === null)
      pipelines.wait(request, response, () => serve(request, response, facts, expectsContinue));
    // The parser looks at the Transfer-Encoding and the first chunks after it has announced the request.
    else if (facts.body === "chunked") setImmediate(serve, request, response, facts, expectsContinue);
    else serve(request, response, facts, expectsContinue);
  }

  function serve(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    expectsContinue: boolean,
  ): void {
    if (response.destroyed || (broken.has(request.socket) && !request.complete)) return;
    // Node drops what is pipelined behind a request that could have left HTTP, so nothing may follow it.
    const close = facts.upgrades;
    const exchange = new Node1Exchange(request, response, facts, { close, expectsContinue, server: state });
    try {
      if (facts.refusal === undefined) part.role.handler.handle(exchange);
      else refuse(exchange, facts.refusal);
    } catch (error) {
      part.role.counters.failed.value++;
      log.error({ error, listener: name, target: exchange.target }, "could not answer a request");
      if (exchange.answered) response.destroy();
      else answerText(exchange, 500, "internal error\n");
    }
  }

  /** Something else than 100 is expected, which nobody here can do (RFC 9110, 10.1.1). */
  function onExpectation(request: IncomingMessage, response: ServerResponse): void {
    part.role.counters.requests.value++;
    part.role.counters.refused.syntax.value++;
    const facts = readRequest(request);
    const exchange = new Node1Exchange(request, response, facts, {
      close: true,
      expectsContinue: true,
      server: state,
    });
    answerText(exchange, 417, "expectation failed\n");
  }

  function refuse(exchange: Node1Exchange, reason: string): void {
    part.role.counters.refused.host.value++;
    exchange.close = true;
    answerText(exchange, 400, `${reason}\n`);
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, rest: Buffer): void {
    part.role.counters.requests.value++;
    const facts = readRequest(request);
    const exchange = new UpgradeExchange(request, socket as Socket, rest, facts);
    socket.on("error", () => socket.destroy());
    try {
      if (facts.refusal === undefined) part.role.handler.handle(exchange);
      else answerText(exchange, 400, `${facts.refusal}\n`);
    } catch (error) {
      part.role.counters.failed.value++;
      log.error({ error, listener: name, target: exchange.target }, "could not answer a request");
      socket.destroy();
    }
  }

  /** No tunnel to just anywhere is made here (RFC 9110, 9.3.6). */
  function onConnect(_: IncomingMessage, socket: Duplex): void {
    part.role.counters.requests.value++;
    part.role.counters.refused.syntax.value++;
    endRefused(socket, "405 Method Not Allowed");
  }

  function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const [status, reason] = parserRefusal(error.code);
    if (error.code !== "ECONNRESET" && broken.has(socket)) return;
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    broken.add(socket);
    part.role.counters.refused[reason].value++;
    endBroken(socket, status);
  }

  return part;
}

/**
 * Whether a request may leave HTTP. Not with a body, in HTTP/1.0 (RFC 9110, 7.8), or before the answers that were asked
 * for earlier; HTTP/2 in clear text is not spoken. Otherwise it is answered as the plain request that it also is.
 */
function shouldUpgradeCallback(request: IncomingMessage): boolean {
  const { rawHeaders, httpVersionMinor, socket } = request;
  if (httpVersionMinor === 0 || pendingResponse(socket) !== undefined) return false;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase();
    if (name === "content-length" || name === "transfer-encoding") return false;
    if (name === "upgrade" && /(?:^|,)\s*h2c?\s*(?:,|$)/i.test(rawHeaders[index + 1] ?? "")) return false;
  }
  return true;
}
