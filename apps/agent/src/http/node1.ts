/**
 * HTTP/1 by node:http: the only file that knows it. It accepts, bounds and refuses; what is left reaches the handler as
 * an Exchange. The hit path makes one small object per request, no closure and no promise, and `request.headers` (which
 * would build an object of all headers) is never touched.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { closeServer, type ListenAddress, type Log, listenOn, type Part } from "@posthouse/service";
import type { Metrics, Tally } from "../core/metrics.ts";
import { answerText, type Exchange, type ExchangeHandler } from "./exchange.ts";
import { isHost } from "./host.ts";

export interface HttpServer extends Part {
  /** Who answers and what is counted; replaced when the configuration changes. */
  role: ServerRole;
  /** Where it listens, from `start` on. */
  readonly address: ListenAddress | undefined;
}

export interface ServerRole {
  readonly handler: ExchangeHandler;
  readonly counters: HttpCounters;
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

type RefusalReason = "host" | "syntax" | "too_large" | "timeout" | "connections";

const limits = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5000,
  keepAliveTimeout: 65_000,
};
const maxRequestsPerConnection = 100_000;
const maxConnections = 10_000;
const maxUnreadBodyBytes = 1024 * 1024;

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
      },
    };
  };
}

class Node1Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  authority = "";
  close: boolean;
  #added: string[] | undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse, close: boolean) {
    this.method = request.method ?? "GET";
    this.target = request.url ?? "/";
    this.rawHeaders = request.rawHeaders;
    this.close = close;
    this.#request = request;
    this.#response = response;
  }

  get peer(): string | undefined {
    return this.#request.socket.remoteAddress;
  }

  get aborted(): boolean {
    return this.#response.destroyed;
  }

  get answered(): boolean {
    return this.#response.headersSent;
  }

  addHeader(name: string, value: string): void {
    this.#added ??= [];
    this.#added.push(name, value);
  }

  answer(status: number, headers: string[], body: string): void {
    const length = Buffer.byteLength(body);
    if (length > 0 || (this.method !== "HEAD" && status !== 304))
      headers.push("Content-Length", String(length));
    if (this.close) headers.push("Connection", "close");
    if (this.#added) {
      // Their values are bytes, so the body must not bring the head into its encoding.
      this.#response.writeHead(status, [...headers, ...this.#added]).end(Buffer.from(body));
      return;
    }
    // Head and body leave in one write; a text of ASCII only is cheaper to write as latin1.
    this.#response.writeHead(status, headers).end(body, length === body.length ? "latin1" : "utf8");
  }
}

/** Reads what the server itself must know of the headers. False: the Host header is missing, doubled or no host. */
function readHeaders(exchange: Node1Exchange, request: IncomingMessage): boolean {
  const { rawHeaders } = exchange;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") {
      hosts++;
      exchange.authority = rawHeaders[index + 1] ?? "";
    } else if (name.length === 14 && name.toLowerCase() === "content-length") {
      if (Number(rawHeaders[index + 1]) > maxUnreadBodyBytes) exchange.close = true;
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      exchange.close = true;
    }
  }
  if (hosts === 0) return request.httpVersionMajor === 1 && request.httpVersionMinor === 0;
  return hosts === 1 && isHost(exchange.authority);
}

/** Makes a server for one address. `stop` lets running requests finish, telling their clients to reconnect. */
export function createNode1Server(options: HttpServerOptions): HttpServer {
  const { name, listen, log } = options;
  let server: Server | undefined;
  let address: ListenAddress | undefined;
  let draining = false;

  const part: HttpServer = {
    name,
    role: options.role,
    get address() {
      return address;
    },
    async start() {
      draining = false;
      const made = createServer(
        { ...limits, requireHostHeader: false, optimizeEmptyRequests: true },
        onRequest,
      );
      made.maxRequestsPerSocket = maxRequestsPerConnection;
      made.maxConnections = maxConnections;
      made.on("clientError", onClientError);
      made.on("connection", (socket) => {
        const { connections, open } = part.role.counters;
        connections.value++;
        open.value++;
        socket.once("close", () => open.value--);
      });
      made.on("drop", () => part.role.counters.refused.connections.value++);
      address = await listenOn(made, listen);
      made.on("error", (error) => log.error({ error, listener: name }, "the listener failed"));
      server = made;
    },
    async stop(deadlineMs) {
      draining = true;
      if (server) await closeServer(server, deadlineMs);
    },
  };

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { handler, counters } = part.role;
    counters.requests.value++;
    const exchange = new Node1Exchange(request, response, draining);
    try {
      if (readHeaders(exchange, request)) {
        handler.handle(exchange);
      } else {
        counters.refused.host.value++;
        exchange.close = true;
        answerText(exchange, 400, "a request needs exactly one Host header that names a host\n");
      }
    } catch (error) {
      counters.failed.value++;
      log.error({ error, listener: name, target: exchange.target }, "could not answer a request");
      if (exchange.answered) response.destroy();
      else answerText(exchange, 500, "internal error\n");
    }
  }

  function onClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const [status, reason] = refusals[error.code ?? ""] ?? (["400 Bad Request", "syntax"] as const);
    if (error.code === "ECONNRESET" || !socket.writable) {
      socket.destroy();
      return;
    }
    part.role.counters.refused[reason].value++;
    const body = `${status.slice(4).toLowerCase()}\n`;
    const head = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
    socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`, () => socket.destroy());
  }

  return part;
}

const refusals: Readonly<Record<string, readonly [string, RefusalReason]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "too_large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "timeout"],
};
