/**
 * HTTP/2 by node:http2, on connections that TLS agreed on it. nghttp2 parses and refuses; here are the bounds: streams at
 * once, size of a header list, resets, requests of one connection, silence.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Log } from "@posthouse/service";
import { defaultSiteLimits, type SiteLimits } from "../config/site-limits.ts";
import { answerText, targetPath } from "./exchange.ts";
import { Node2Exchange } from "./node2-exchange.ts";
import { type Request2, readRequest2 } from "./node2-request.ts";
import { peerOf } from "./peer.ts";
import { createResetBudget } from "./reset-budget.ts";
import type { ServerRole } from "./server-role.ts";
import type { SlowReaders } from "./slow-readers.ts";

export interface Node2Sessions {
  accept(socket: Socket): void;
  /** Ends what takes too long: requests that arrive, connections without any. `now` by `performance.now()`. */
  look(now: number): void;
  /** Lets running requests finish and takes no new ones (GOAWAY). */
  drain(): void;
  /** Cuts what is left. */
  destroy(): void;
}

export interface Node2Options {
  readonly name: string;
  readonly role: () => ServerRole;
  readonly slowReaders: SlowReaders;
  readonly log: Log;
}

interface Connection {
  readonly socket: Socket;
  /** So far. */
  requests: number;
  /** Streams open now. */
  open: number;
  /** Since when none is. */
  idleSince: number;
}

const sessionOptions = (limits: SiteLimits): ServerOptions => ({
  maxSessionMemory: 16,
  maxSessionInvalidFrames: 100,
  // Backends may repeat such headers; HTTP/1 clients see it, too.
  strictSingleValueFields: false,
  maxHeaderListPairs: limits.headers,
  settings: {
    enablePush: false,
    enableConnectProtocol: false,
    maxConcurrentStreams: limits.http2_streams,
    maxHeaderListSize: limits.header_size,
  },
});

export function createNode2Sessions({ name, role, slowReaders, log }: Node2Options): Node2Sessions {
  const sessions = new Map<ServerHttp2Session, Connection>();
  /** Requests whose body is not there yet, and when it must be. */
  const arriving = new Map<Node2Exchange, number>();
  const watch = (stream: ServerHttp2Stream): void => slowReaders.watch(stream);
  let draining = false;

  function accept(socket: Socket): void {
    const peer = peerOf(socket);
    const limits = role().limits ?? defaultSiteLimits;
    const session = performServerHandshake(socket, sessionOptions(limits));
    const resets = createResetBudget(limits.http2_resets);
    const connection: Connection = { socket, requests: 0, open: 0, idleSince: performance.now() };
    sessions.set(session, connection);
    socket.once("close", () => sessions.delete(session));
    session.on("error", (error) => log.debug({ error, listener: name, peer }, "an HTTP/2 connection broke"));
    session.on("frameError", () => session.destroy());
    session.on("stream", (stream, _headers, flags, rawHeaders) => {
      if (++connection.open === limits.http2_streams) role().counters.allStreams.value++;
      if (++connection.requests === limits.requests_per_connection) session.close();
      stream.on("error", (error) => log.debug({ error, listener: name, peer }, "a stream of HTTP/2 broke"));
      const endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      const request = readRequest2(rawHeaders as readonly string[], endsWithHead, limits.header_size);
      const exchange = new Node2Exchange(stream, request, peer, watch);
      if (request.hasBody && limits.request_time > 0)
        arriving.set(exchange, performance.now() + limits.request_time);
      stream.once("close", () => {
        if (--connection.open === 0) connection.idleSince = performance.now();
        slowReaders.forget(stream);
        if (request.hasBody) arriving.delete(exchange);
        if (exchange.wasCut || (stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted)) return;
        if (session.destroyed || resets.spend(performance.now())) return;
        role().counters.refused.resets.value++;
        cut(session, socket, constants.NGHTTP2_ENHANCE_YOUR_CALM);
      });
      serve(exchange, request.refusal);
    });
    if (draining) session.close();
  }

  function serve(exchange: Node2Exchange, refusal: Request2["refusal"]): void {
    const { handler, counters } = role();
    counters.requests.value++;
    if (exchange.aborted) return;
    try {
      if (refusal === undefined) handler.handle(exchange);
      else {
        counters.refused[refusal[0] === 431 ? "too_large" : "syntax"].value++;
        answerText(handler.watch?.(exchange) ?? exchange, refusal[0], `${refusal[1]}\n`);
      }
    } catch (error) {
      counters.failed.value++;
      log.error({ error, listener: name, path: targetPath(exchange) }, "could not answer a request");
      if (exchange.answered) exchange.abort();
      else answerText(exchange, 500, "internal error\n");
    }
  }

  /** Bytes alone do not count: headers that only trickle in are no request. */
  function endIdle(session: ServerHttp2Session, connection: Connection, now: number): void {
    const { requests, open, idleSince, socket } = connection;
    const { header_time, keep_alive } = role().limits ?? defaultSiteLimits;
    const limit = requests === 0 ? header_time : keep_alive;
    if (open > 0 || limit === 0 || now - idleSince < limit) return;
    const { idle, refused } = role().counters;
    (requests === 0 ? refused.timeout : idle).value++;
    cut(session, socket, constants.NGHTTP2_NO_ERROR);
  }

  return {
    accept,
    look(now) {
      for (const [session, connection] of sessions) endIdle(session, connection, now);
      for (const [exchange, deadline] of arriving) {
        if (now < deadline) continue;
        arriving.delete(exchange);
        if (!exchange.isArriving) continue;
        role().counters.refused.timeout.value++;
        exchange.timeOut();
      }
    },
    drain() {
      draining = true;
      for (const session of sessions.keys()) session.close();
    },
    destroy() {
      for (const [session, { socket }] of sessions) cut(session, socket, constants.NGHTTP2_NO_ERROR);
    },
  };
}

/** Ends a connection with all its streams; Node alone would wait for the client to do so. */
function cut(session: ServerHttp2Session, socket: Socket, code: number): void {
  if (!session.destroyed) {
    session.goaway(code);
    session.destroy();
  }
  setImmediate(() => socket.destroy());
}
