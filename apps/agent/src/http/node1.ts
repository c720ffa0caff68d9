/**
 * HTTP/1 by node:http: the only file that knows it. It accepts, bounds and refuses; what is left reaches the handler as
 * an Exchange. The hit path makes one small object per request, no closure and no promise, and `request.headers` (which
 * would build an object of all headers) is never touched.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { closeServer, type ListenAddress, type Log, listenOn, type Part } from "@posthouse/service";
import { atPlace } from "../config/places.ts";
import { defaultSiteLimits, type SiteLimits } from "../config/site-limits.ts";
import { answerText, type Exchange, targetPath } from "./exchange.ts";
import { Node1Exchange } from "./node1-exchange.ts";
import { createPipelines } from "./node1-pipelines.ts";
import {
  clientClosed,
  endAbandoned,
  endBroken,
  endRefused,
  isAnswered,
  isWithinBody,
  parserRefusal,
  pendingResponse,
  refusalOf,
  refusalOfBytes,
  setResponseToBody,
  statusCode,
} from "./node1-refusals.ts";
import { type RequestFacts, readRequest } from "./node1-request.ts";
import { UpgradeExchange } from "./node1-upgrade.ts";
import { createNode2Sessions } from "./node2.ts";
import { peerOf, setPeer } from "./peer.ts";
import type { ServerRole } from "./server-role.ts";
import { createSlowReaders } from "./slow-readers.ts";

export interface HttpServer extends Part {
  /** Who answers and what is counted; replaced when the configuration changes. */
  role: ServerRole;
  /** Where it listens, from `start` on. */
  readonly address: ListenAddress | undefined;
}

export interface HttpServerOptions {
  readonly name: string;
  readonly listen: ListenAddress;
  /** Where the configuration names the address. Default: `name`. */
  readonly place?: string;
  readonly role: ServerRole;
  readonly log: Log;
}

/** How often slow headers, bodies and readers are looked for. */
const connectionsCheckingInterval = 1000;

/** Makes a server for one address. `stop` lets running requests finish, telling their clients to reconnect. */
export function createNode1Server(options: HttpServerOptions): HttpServer {
  const { name, listen, place = name, log } = options;
  let server: Server | undefined;
  let role = options.role;
  let address: ListenAddress | undefined;
  const state = { draining: false };
  const pipelines = createPipelines();
  /** Connections that Node no longer counts among those of HTTP. */
  const upgraded = new Set<Duplex>();
  /** Connections whose bytes make no sense any more, and the status that says so. */
  const broken = new WeakMap<Duplex, number>();
  /** Connections on which nothing of HTTP was said yet. */
  const entering = new Set<Socket>();
  const slowReaders = createSlowReaders((client) => {
    role.counters.refused.slow_reader.value++;
    client.destroy();
  });
  const node2 = createNode2Sessions({ name, role: () => role, slowReaders, log });
  let looking: NodeJS.Timeout | undefined;

  const part: HttpServer = {
    name,
    get role() {
      return role;
    },
    set role(next) {
      role = next;
      if (server !== undefined) applyLimits(server, next.limits);
    },
    get address() {
      return address;
    },
    async start() {
      state.draining = false;
      const made = createServer(
        {
          connectionsCheckingInterval,
          requireHostHeader: false,
          optimizeEmptyRequests: true,
          shouldUpgradeCallback,
          // Whatever NODE_OPTIONS say: between two servers a lenient one is how requests are smuggled.
          insecureHTTPParser: false,
          maxHeaderSize: (role.limits ?? defaultSiteLimits).header_size,
        },
        onRequest,
      );
      made.on("checkContinue", (request, response) => onRequest(request, response, true));
      made.on("checkExpectation", onExpectation);
      made.on("upgrade", onUpgrade);
      made.on("connect", onConnect);
      applyLimits(made, role.limits);
      made.on("clientError", onClientError);
      const [serveHttp1] = made.listeners("connection") as ((socket: Socket) => void)[];
      made.removeAllListeners("connection");
      made.on("connection", (socket) => onConnection(socket, (ready) => serveHttp1?.call(made, ready)));
      made.on("drop", () => role.counters.refused.connections.value++);
      made.on("timeout", (socket) => {
        role.counters.idle.value++;
        socket.destroy();
      });
      made.on("dropRequest", () => role.counters.refused.requests.value++);
      address = await atPlace(place, () => listenOn(made, listen));
      made.on("error", (error) => log.error({ error, listener: name }, "the listener failed"));
      server = made;
      looking = setInterval(look, connectionsCheckingInterval).unref();
    },
    async stop(deadlineMs) {
      state.draining = true;
      for (const socket of entering) socket.destroy();
      node2.drain();
      if (!server) return;
      const timer = setTimeout(() => {
        node2.destroy();
        for (const socket of upgraded) socket.destroy();
      }, deadlineMs);
      const closed = closeServer(server, deadlineMs);
      for (const socket of upgraded) role.handler.leave?.(socket);
      await closed;
      clearTimeout(timer);
      clearInterval(looking);
    },
  };

  function look(): void {
    const now = performance.now();
    slowReaders.look(now, (role.limits ?? defaultSiteLimits).read_time);
    node2.look(now);
  }

  function onConnection(socket: Socket, toNode: (socket: Socket) => void): void {
    const { counters, door } = role;
    const serveHttp1 = (ready: Socket): void => {
      slowReaders.watch(ready);
      ready.once("close", () => slowReaders.forget(ready));
      toNode(ready);
    };
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
    role.counters.requests.value++;
    const facts = readRequest(request);
    // What was pipelined waits for its turn: only safe requests may run side by side (RFC 9112, 9.3.2).
    if (response.socket === null) {
      pipelines.wait(request, response, () => {
        if (facts.body !== "none") setResponseToBody(request.socket, response);
        serve(request, response, facts, expectsContinue);
      });
      return;
    }
    if (facts.body !== "none") setResponseToBody(request.socket, response);
    // The parser looks at the Transfer-Encoding and the first chunks after it has announced the request.
    if (facts.body === "chunked") setImmediate(serve, request, response, facts, expectsContinue);
    else serve(request, response, facts, expectsContinue);
  }

  function serve(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    expectsContinue: boolean,
  ): void {
    const brokenWith = broken.get(request.socket);
    if (brokenWith !== undefined && !request.complete) {
      role.handler.onRefused?.(refusalOf(request, request.socket, { status: brokenWith, bytes: 0 }));
      return;
    }
    if (response.destroyed) return;
    // Node drops what is pipelined behind a request that could have left HTTP, so nothing may follow it.
    const close = facts.upgrades || isLastOnConnection(response);
    const exchange = new Node1Exchange(request, response, facts, { close, expectsContinue, server: state });
    try {
      if (facts.refusal !== undefined) refuse(exchange, facts.refusal);
      else if (request.rawHeaders.length > (role.limits ?? defaultSiteLimits).headers * 2) {
        exchange.close = true;
        refuseHeaders(exchange);
      } else role.handler.handle(exchange);
    } catch (error) {
      role.counters.failed.value++;
      log.error({ error, listener: name, path: targetPath(exchange) }, "could not answer a request");
      if (exchange.answered) response.destroy();
      else answerText(exchange, 500, "internal error\n");
    }
  }

  /** Something else than 100 is expected, which nobody here can do (RFC 9110, 10.1.1). */
  function onExpectation(request: IncomingMessage, response: ServerResponse): void {
    role.counters.requests.value++;
    role.counters.refused.syntax.value++;
    const facts = readRequest(request);
    if (response.socket !== null && facts.body !== "none") setResponseToBody(request.socket, response);
    const exchange = new Node1Exchange(request, response, facts, {
      close: true,
      expectsContinue: true,
      server: state,
    });
    answerRefused(exchange, 417, "expectation failed\n");
  }

  function refuseHeaders(exchange: Exchange): void {
    role.counters.refused.too_large.value++;
    answerRefused(exchange, 431, "request header fields too large\n");
  }

  function refuse(exchange: Node1Exchange, reason: string): void {
    role.counters.refused.host.value++;
    exchange.close = true;
    answerRefused(exchange, 400, `${reason}\n`);
  }

  function answerRefused(exchange: Exchange, status: number, text: string): void {
    answerText(role.handler.watch?.(exchange) ?? exchange, status, text);
  }

  function onUpgrade(request: IncomingMessage, socket: Duplex, rest: Buffer): void {
    role.counters.requests.value++;
    const facts = readRequest(request);
    const waiting = role.counters.upgrading;
    const exchange = new UpgradeExchange(request, socket as Socket, { rest, facts, waiting });
    socket.on("error", () => socket.destroy());
    upgraded.add(socket);
    socket.once("close", () => upgraded.delete(socket));
    slowReaders.forget(socket);
    try {
      if (facts.refusal !== undefined) answerRefused(exchange, 400, `${facts.refusal}\n`);
      else if (request.rawHeaders.length > (role.limits ?? defaultSiteLimits).headers * 2)
        refuseHeaders(exchange);
      else role.handler.handle(exchange);
    } catch (error) {
      role.counters.failed.value++;
      log.error({ error, listener: name, path: targetPath(exchange) }, "could not answer a request");
      socket.destroy();
    }
  }

  /** No tunnel to just anywhere is made here (RFC 9110, 9.3.6). */
  function onConnect(request: IncomingMessage, socket: Duplex): void {
    role.counters.requests.value++;
    role.counters.refused.syntax.value++;
    const bytes = endRefused(socket, "405 Method Not Allowed");
    role.handler.onRefused?.(refusalOf(request, socket, { status: 405, bytes }));
  }

  function onClientError(error: NodeJS.ErrnoException & { rawPacket?: Buffer }, socket: Duplex): void {
    const [status, reason] = parserRefusal(error.code);
    if (error.code !== "ECONNRESET" && broken.has(socket)) return;
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    if (error.code === "HPE_INVALID_EOF_STATE" && isAnswered(socket)) {
      socket.end();
      return;
    }
    if (error.code === "HPE_INVALID_EOF_STATE" && isWithinBody(socket)) {
      broken.set(socket, clientClosed);
      endAbandoned(socket);
      return;
    }
    broken.set(socket, statusCode(status));
    role.counters.refused[reason].value++;
    // Afterwards, a client that has gone cannot be asked for its address.
    peerOf(socket as Socket);
    const packet = pendingResponse(socket) === undefined ? error.rawPacket : undefined;
    endBroken(socket, status, (bytes) => {
      const refusal = refusalOfBytes(socket, packet, { status: statusCode(status), bytes });
      if (refusal !== undefined) role.handler.onRefused?.(refusal);
    });
  }

  return part;
}

/** Node announces the end after so many requests, but leaves it to the client. */
function isLastOnConnection(response: ServerResponse): boolean {
  return (response as { maxRequestsOnConnectionReached?: boolean }).maxRequestsOnConnectionReached === true;
}

/** All can change while the server runs; those of a connection's parser hold from the next connection on. */
function applyLimits(server: Server, limits: SiteLimits = defaultSiteLimits): void {
  server.maxConnections = limits.connections;
  server.maxRequestsPerSocket = limits.requests_per_connection;
  server.headersTimeout = limits.header_time;
  server.requestTimeout = limits.request_time;
  server.keepAliveTimeout = limits.keep_alive;
  // Node would leave out headers beyond its count without a word; they are counted where requests are read.
  server.maxHeadersCount = 0;
  // An option that Node reads for each connection; to change it, which Node does not promise, is tested.
  Object.assign(server, { maxHeaderSize: limits.header_size });
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
