/**
 * HTTP/2 by node:http2, on connections that TLS agreed on it. nghttp2 parses and refuses; here are the bounds: streams at
 * once, size of a header list, resets, requests of one connection, silence.
 */
import { constants, performServerHandshake, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import type { Log } from "@posthouse/service";
import { defaultSiteLimits } from "../config/site-limits.ts";
import { answerText } from "./exchange.ts";
import type { ServerRole } from "./node1.ts";
import { Node2Exchange } from "./node2-exchange.ts";
import { maxHeaderListBytes, type Request2, readRequest2 } from "./node2-request.ts";
import { peerOf } from "./peer.ts";
import { createResetBudget } from "./reset-budget.ts";

export interface Node2Sessions {
  accept(socket: Socket): void;
  /** Lets running requests finish and takes no new ones (GOAWAY). */
  drain(): void;
  /** Cuts what is left. */
  destroy(): void;
}

export interface Node2Options {
  readonly name: string;
  readonly role: () => ServerRole;
  readonly log: Log;
}

const maxStreams = 128;

const options = {
  maxSessionMemory: 16,
  maxSessionInvalidFrames: 100,
  // Backends may repeat such headers; HTTP/1 clients see it, too.
  strictSingleValueFields: false,
  settings: {
    enablePush: false,
    enableConnectProtocol: false,
    maxConcurrentStreams: maxStreams,
    maxHeaderListSize: maxHeaderListBytes,
  },
};

export function createNode2Sessions({ name, role, log }: Node2Options): Node2Sessions {
  const sessions = new Map<ServerHttp2Session, Socket>();
  let draining = false;

  function accept(socket: Socket): void {
    const peer = peerOf(socket);
    const limits = role().limits ?? defaultSiteLimits;
    const session = performServerHandshake(socket, { ...options, maxHeaderListPairs: limits.headers });
    const resets = createResetBudget();
    let requests = 0;
    let open = 0;
    sessions.set(session, socket);
    socket.once("close", () => sessions.delete(session));
    session.on("error", (error) => log.debug({ error, listener: name, peer }, "an HTTP/2 connection broke"));
    session.on("frameError", () => session.destroy());
    session.setTimeout(limits.header_time);
    session.on("timeout", () => {
      if (open === 0) session.close();
    });
    session.on("stream", (stream, _headers, flags, rawHeaders) => {
      open++;
      if (++requests === 1) session.setTimeout(limits.keep_alive);
      if (requests === limits.requests_per_connection) session.close();
      stream.on("error", (error) => log.debug({ error, listener: name, peer }, "a stream of HTTP/2 broke"));
      const endsWithHead = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
      const request = readRequest2(rawHeaders as readonly string[], endsWithHead);
      const exchange = new Node2Exchange(stream, request, peer);
      stream.once("close", () => {
        open--;
        if (exchange.wasCut || (stream.rstCode === constants.NGHTTP2_NO_ERROR && !stream.aborted)) return;
        if (resets.spend(performance.now())) return;
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
        counters.refused.syntax.value++;
        answerText(handler.watch?.(exchange) ?? exchange, refusal[0], `${refusal[1]}\n`);
      }
    } catch (error) {
      counters.failed.value++;
      log.error({ error, listener: name, target: exchange.target }, "could not answer a request");
      if (exchange.answered) exchange.abort();
      else answerText(exchange, 500, "internal error\n");
    }
  }

  return {
    accept,
    drain() {
      draining = true;
      for (const session of sessions.keys()) session.close();
    },
    destroy() {
      for (const [session, socket] of sessions) cut(session, socket, constants.NGHTTP2_NO_ERROR);
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
