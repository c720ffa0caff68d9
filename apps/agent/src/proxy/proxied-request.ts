/**
 * One request on its way to a backend and its answer on the way back: glue between an Exchange and a BackendConnection.
 * Invariants:
 * - the exchange is answered once: by the backend's answer, by an error page, or by cutting the connection;
 * - it ends once (`#finish`), and then holds neither a connection nor a place among the deadlines;
 * - it is sent a second time only when the connection died before anything of an answer arrived, no byte of its body was
 *   used, and its method may be repeated (RFC 9110, 9.2.2) or the backend cannot have seen it;
 * - all its sendings together wait no longer for the answer than one may.
 */
import type { Socket } from "node:net";
import type { Exchange, ExchangeListener } from "../http/exchange.ts";
import type { BackendConnection } from "./backend/connection.ts";
import type { PooledCall } from "./backend/pool.ts";
import { connectionTokens, type ResponseHead } from "./backend/response-head.ts";
import type { Timed } from "./deadlines.ts";
import type { ErrorAnswers } from "./error-answers.ts";
import { type FailureReason, reasonOf } from "./failure-reason.ts";
import type { Forward } from "./forward.ts";
import type { ForwardLimit } from "./metrics.ts";
import { RequestBody, type RequestBodyListener } from "./request-body.ts";
import type { RequestHead } from "./request-head.ts";
import type { Upstream } from "./upstream.ts";

const repeatable = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class ProxiedRequest implements PooledCall, ExchangeListener, RequestBodyListener, Timed {
  readonly method: string;
  deadline: number = Number.POSITIVE_INFINITY;
  place = -1;
  readonly #exchange: Exchange;
  readonly #forward: Forward;
  readonly #head: RequestHead;
  readonly #key: string;
  readonly #errors: ErrorAnswers;
  readonly #body: RequestBody | undefined;
  readonly #begunAt = performance.now();
  #sentAt = 0;
  #upstream: Upstream | undefined;
  #tried: Set<Upstream> | undefined;
  #connection: BackendConnection | undefined;
  #isFresh = false;
  #sent = false;
  #retries = 0;
  #begun = false;
  #over = false;
  #totalDeadline: number;
  /** What is left of the wait for the answer's head. */
  #firstByteMs: number;

  constructor(exchange: Exchange, forward: Forward, head: RequestHead, key: string, errors: ErrorAnswers) {
    this.method = exchange.method;
    this.#exchange = exchange;
    this.#forward = forward;
    this.#head = head;
    this.#key = key;
    this.#errors = errors;
    const { body } = exchange;
    this.#body = body && new RequestBody(exchange, body, head.body, forward.limits, this);
    const { totalMs, firstByteMs } = forward.limits;
    this.#firstByteMs = firstByteMs;
    this.#totalDeadline = totalMs === 0 ? Number.POSITIVE_INFINITY : this.#begunAt + totalMs;
  }

  start(): void {
    this.#forward.deadlines.add(this);
    this.#exchange.listen(this);
    const upstream = this.#forward.balancer.pick(this.#key);
    if (upstream === undefined) this.#giveUp(502, "unreachable");
    else this.#attempt(upstream, false);
  }

  #attempt(upstream: Upstream, fresh: boolean): void {
    this.#upstream = upstream;
    this.#sent = false;
    this.#wait(this.#forward.limits.connectMs);
    upstream.pool.take(this, fresh);
  }

  /** Returns the time at which the waiting begins. */
  #wait(ms: number): number {
    const now = performance.now();
    this.deadline = Math.min(now + ms, this.#totalDeadline, this.#body?.deadline ?? Number.POSITIVE_INFINITY);
    return now;
  }

  // The pool and the connection

  onConnection(connection: BackendConnection, isFresh: boolean): void {
    this.#connection = connection;
    this.#isFresh = isFresh;
    if (connection.isConnected) this.onConnected();
  }

  onConnected(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#sent = true;
    connection.sendHead(this.#head.text, this.#body === undefined);
    this.#sentAt = this.#wait(this.#firstByteMs);
    this.#upstream?.count.sent();
    this.#body?.sendTo(connection);
  }

  onInformational({ status, headers }: ResponseHead): void {
    this.#exchange.inform(status, headers);
  }

  onWhole(head: ResponseHead, body: Buffer): void {
    this.#answered(head);
    this.#forward.count.bytesOut(body.length);
    this.#exchange.send(head.status, head.reason, this.#forward.responseHeaders(head), body);
    this.#responseEnded();
  }

  onHead(head: ResponseHead): void {
    this.#answered(head);
    this.#wait(this.#forward.limits.idleMs);
    this.#begun = true;
    this.#exchange.begin(head.status, head.reason, this.#forward.responseHeaders(head));
  }

  onBody(bytes: Buffer): void {
    this.#forward.count.bytesOut(bytes.length);
    if (this.#exchange.write(bytes)) this.#wait(this.#forward.limits.idleMs);
    else {
      this.#connection?.pause();
      this.#wait(this.#forward.limits.clientMs);
    }
  }

  onEnd(trailers: readonly string[]): void {
    this.#exchange.end(trailers);
    this.#responseEnded();
  }

  onUpgrade(head: ResponseHead, socket: Socket, rest: Buffer): void {
    this.#connection = undefined;
    const protocol = agreedProtocol(this.#exchange.upgrade, head.upgrade);
    if (this.#over || protocol === undefined) {
      socket.destroy();
      if (this.#over) return;
      this.#failedBy("garbage");
      this.#giveUp(502, "garbage");
      return;
    }
    this.#answered(head);
    this.#over = true;
    this.#forward.deadlines.remove(this);
    const headers = [...head.headers, "Connection", "Upgrade", "Upgrade", protocol];
    const client = this.#exchange.switchProtocols(headers);
    if (rest.length > 0) socket.unshift(rest);
    this.#forward.tunnel(client, socket);
  }

  onDrain(): void {
    // Called by the connection to the backend and by the client's: whoever drained, its source goes on.
    if (this.#over) return;
    if (this.#begun) this.#wait(this.#forward.limits.idleMs);
    this.#connection?.resume();
    this.#body?.goOn();
  }

  onFailed(error: Error, answered: "nothing" | "something"): void {
    this.#connection = undefined;
    if (this.#over) return;
    const reason = reasonOf(error);
    if (this.#isFresh && reason !== "busy") this.#upstream?.failed(performance.now());
    const failure = { upstream: this.#upstream, reason, error };
    this.#forward.count.failed(reason, this.#upstream?.address.text);
    // That a kept connection was closed meanwhile happens all the time.
    const isUsual = !this.#isFresh && reason === "closed";
    const again = answered === "nothing" && this.#attemptAgain(reason);
    if (!again || !isUsual) this.#forward.tellFailure(failure);
    if (again) return;
    if (this.#begun) this.#cut();
    else this.#giveUp(reason === "busy" ? 503 : 502, reason);
  }

  #failedBy(reason: FailureReason, limit?: ForwardLimit): void {
    this.#forward.count.failed(reason, this.#upstream?.address.text);
    this.#forward.tellFailure({ upstream: this.#upstream, reason, limit });
  }

  /** False when the request may not be sent again, or there is nobody left to send it to. */
  #attemptAgain(reason: FailureReason): boolean {
    const upstream = this.#upstream;
    if (upstream === undefined || this.#body?.isUsed === true || (this.#sent && !repeatable.has(this.method)))
      return false;
    const wasKept = this.#sent && !this.#isFresh && reason === "closed";
    const next = wasKept ? upstream : this.#nextUpstream(upstream, reason);
    if (next === undefined) return false;
    if (this.#sent) this.#firstByteMs -= performance.now() - this.#sentAt;
    this.#body?.hold();
    this.#attempt(next, wasKept);
    return true;
  }

  #nextUpstream(failed: Upstream, reason: FailureReason): Upstream | undefined {
    if (reason === "busy" || reason === "garbage") return undefined;
    if (this.#retries >= this.#forward.limits.retries) return undefined;
    this.#tried ??= new Set();
    this.#tried.add(failed);
    const next = this.#forward.balancer.pick(this.#key, this.#tried);
    if (next === undefined) return undefined;
    this.#retries += 1;
    this.#forward.count.retried();
    return next;
  }

  get isRepeatable(): boolean {
    return this.#body === undefined && repeatable.has(this.method);
  }

  // The request's body

  onBodyBytes(bytes: number, flows: boolean): void {
    const { idleMs, clientMs } = this.#forward.limits;
    this.#forward.count.bytesIn(bytes);
    if (!flows) this.#wait(idleMs);
    else this.#wait(Math.max(clientMs, this.#begun ? idleMs : 0));
  }

  onBodyEnd(): void {
    this.#wait(this.#begun ? this.#forward.limits.idleMs : this.#firstByteMs);
  }

  onBodyTooLarge(): void {
    this.#giveUp(413, "body_too_large");
  }

  // The client

  onClose(): void {
    this.onClientGone();
  }

  onClientGone(): void {
    if (this.#over) return;
    this.#forward.count.clientGone();
    this.#finish();
  }

  onDeadline(): void {
    if (this.#over) return;
    const limit = this.#limitReached;
    const bodyIsAwaited = this.#sent && this.#body?.isAwaited === true;
    const waitedForClient = bodyIsAwaited && !this.#begun && limit !== "idle";
    this.#forward.count.limited(limit);
    if (limit !== "client" && !waitedForClient) this.#failedBy("timed_out", limit);
    if (!waitedForClient && !this.#begun) this.#upstream?.failed(performance.now());
    if (this.#begun) {
      this.#cut();
      return;
    }
    if (!this.#sent && performance.now() < this.#totalDeadline) {
      this.#letGo();
      if (this.#attemptAgain("timed_out")) return;
    }
    this.#giveUp(waitedForClient ? 408 : 504, "timed_out");
  }

  get #limitReached(): ForwardLimit {
    if (this.deadline === this.#totalDeadline) return "total";
    if (!this.#sent) return "connect";
    if (this.deadline === this.#body?.deadline) return "client";
    if (this.#begun) return this.#connection?.socket.isPaused() ? "client" : "idle";
    if (this.#body === undefined || this.#body.isEnded) return "first_byte";
    return this.#body.isHeld ? "idle" : "client";
  }

  onStop(): void {
    if (this.#over) return;
    this.#forward.count.failed("stopped", this.#upstream?.address.text);
    if (this.#begun) this.#cut();
    else this.#giveUp(502, "stopped");
  }

  // The end

  #answered(head: ResponseHead): void {
    const ms = performance.now() - this.#sentAt;
    this.#upstream?.succeeded();
    this.#upstream?.count.answered(ms);
    this.#forward.count.answered(head.status);
    const { record } = this.#exchange;
    if (record === undefined) return;
    record.upstreamMs = ms;
    record.upstream = this.#upstream?.address.text;
  }

  #responseEnded(): void {
    // The backend answered before it had the whole request: the rest is not sent, and the connection is not used again.
    if (this.#body?.isEnded === false) this.#connection?.destroy();
    this.#connection = undefined;
    this.#finish();
  }

  #cut(): void {
    this.#finish();
    this.#exchange.abort();
  }

  #giveUp(status: number, reason: FailureReason): void {
    this.#finish();
    const { record } = this.#exchange;
    if (record !== undefined) record.upstream = this.#upstream?.address.text;
    this.#forward.count.refused(this.#errors.answer(this.#exchange, status), reason);
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#forward.deadlines.remove(this);
    this.#letGo();
    this.#body?.drop();
    this.#forward.count.ended(performance.now() - this.#begunAt);
  }

  #letGo(): void {
    if (this.#connection !== undefined) this.#connection.destroy();
    else this.#upstream?.pool.forget(this);
    this.#connection = undefined;
  }
}

/** What a backend switches to, if that was asked for (RFC 9110, 7.8). */
function agreedProtocol(asked: string | undefined, switched: string | undefined): string | undefined {
  if (asked === undefined || switched === undefined) return undefined;
  const offers = connectionTokens(asked);
  const chosen = connectionTokens(switched);
  return chosen.length > 0 && chosen.every((protocol) => offers.includes(protocol)) ? switched : undefined;
}
