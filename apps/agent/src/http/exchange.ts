import type { Duplex, Readable } from "node:stream";
import type { AccessRecord, AccessRequest } from "./access-log/record.ts";

/**
 * One request and the answer to write: what every handler sees, whatever HTTP version and library carry it.
 * A handler that does not answer at once keeps the exchange and answers later; it answers once.
 */
export interface Exchange {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** The Host header as it was sent; empty for HTTP/1.0 without one. */
  readonly authority: string;
  /** Names and values in turn, in the order received. */
  readonly rawHeaders: readonly string[];
  /** Address of the other end of the connection. */
  readonly peer: string | undefined;
  readonly httpVersion: "1.0" | "1.1" | "2.0";
  /** How the client spoke to this listener. */
  readonly scheme: "http" | "https";
  /** The body as it arrives; undefined when the request has none. */
  readonly body: Readable | undefined;
  /** Names and values in turn, once the body has ended. */
  readonly trailers: readonly string[];
  /** The client waits for a 100 before it sends its body. */
  readonly expectsContinue: boolean;
  /** The protocol that the client would like to speak on this connection instead. */
  readonly upgrade: string | undefined;
  /** True when the client went away before the answer. */
  readonly aborted: boolean;
  /** Where handlers note what only they know; only while the site has an access log. */
  readonly record?: AccessRecord | undefined;
  /** A header of the answer, whatever that will be. The value is ASCII, or bytes as latin1. */
  addHeader(name: string, value: string): void;
  /**
   * Writes the whole answer. `headers` are names and values in turn; Content-Length is added. HEAD gets no body, nor
   * does 304.
   */
  answer(status: number, headers: string[], body: string): void;

  // For answers that come from elsewhere, in pieces. Headers are names and values in turn and stay as they are.

  /** Who hears of the rest of this exchange. Set before anything below is called. */
  listen(listener: ExchangeListener): void;
  /** Sends a 1xx. */
  inform(status: number, headers: string[]): void;
  /** Sends the whole answer. The view is valid during the call only, unless it lasts: then it is not copied. */
  send(status: number, reason: string, headers: string[], body: Buffer, lasts?: boolean): void;
  begin(status: number, reason: string, headers: string[]): void;
  /** Sends the next piece, a view that is valid during the call only. False: wait for `onDrain`. */
  write(bytes: Buffer): boolean;
  end(trailers: readonly string[]): void;
  /** Cuts the connection: an answer that was begun cannot be completed. */
  abort(): void;
  /**
   * Answers 101 and hands over the connection; only when `upgrade` is set. Without headers the answer is left to who
   * gets the connection.
   */
  switchProtocols(headers: readonly string[] | undefined): Duplex;
}

/** Hears what happens to an exchange that is answered in pieces. */
export interface ExchangeListener {
  /** More may be written. */
  onDrain(): void;
  /**
   * The client went away, or the answer has been sent; nothing follows. `refusedWith`: the server has answered with
   * this status by itself, because what came of the request's body was no HTTP, or came too late.
   */
  onClose(refusedWith?: number): void;
}

/** Takes every exchange of a listener. What it throws becomes a 500. */
export interface ExchangeHandler {
  handle(exchange: Exchange): void;
  /** The server stops: this connection, which left HTTP here, is to end. Without it, it is cut at the deadline. */
  leave?(connection: Duplex): void;
  /** The exchange to answer on where the server refuses by itself; without it the same. */
  watch?(exchange: Exchange): Exchange;
  /** Hears of what was refused before it became an exchange. */
  onRefused?(refusal: Refusal): void;
}

/** Bytes that were answered without an exchange; what is not known of the request is empty. */
export interface Refusal extends AccessRequest {
  readonly status: number;
  /** Of the answer's body. */
  readonly bytes: number;
  readonly peer: string | undefined;
}

/** A short text answer. */
export function answerText(exchange: Exchange, status: number, text: string, headers: string[] = []): void {
  exchange.answer(status, [...headers, "Content-Type", "text/plain; charset=utf-8"], text);
}

/** A target without its query, which may carry secrets: for logs. */
export function targetPath({ target }: Exchange): string {
  return target.split("?", 1)[0] ?? "";
}

/** The value of a header, or undefined; the first when it stands there twice. */
export function headerValue({ rawHeaders }: Exchange, name: string): string | undefined {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const candidate = rawHeaders[index];
    if (candidate?.length === name.length && candidate.toLowerCase() === name) return rawHeaders[index + 1];
  }
  return undefined;
}
