import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Duplex, Readable } from "node:stream";
import { answerText, type Exchange, type ExchangeListener } from "./exchange.ts";
import type { Request2 } from "./node2-request.ts";

/** For how long after its answer a request may still be sending, so that the client can read the answer. */
const lingerMs = 1_000;
const connectionHeaders = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

/** A stream of HTTP/2: one request and its answer. */
export class Node2Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly rawHeaders: readonly string[];
  readonly peer: string | undefined;
  readonly httpVersion = "2.0";
  readonly scheme = "https";
  readonly upgrade = undefined;
  readonly expectsContinue: boolean;
  trailers: readonly string[] = [];
  /** Whether the answer was given up here, and not by the client. */
  wasCut = false;
  readonly #stream: ServerHttp2Stream;
  readonly #hasBody: boolean;
  readonly #added: string[] = [];
  readonly #onWhole: (stream: ServerHttp2Stream) => void;
  #listener: ExchangeListener | undefined;

  /** `onWhole` is called when nothing more is added to the answer. */
  constructor(
    stream: ServerHttp2Stream,
    request: Request2,
    peer: string | undefined,
    onWhole: (stream: ServerHttp2Stream) => void,
  ) {
    this.method = request.method;
    this.target = request.target;
    this.authority = request.authority;
    this.rawHeaders = request.headers;
    this.peer = peer;
    this.expectsContinue = request.expects !== undefined;
    this.#stream = stream;
    this.#hasBody = request.hasBody;
    this.#onWhole = onWhole;
    stream.on("trailers", (_headers: unknown, _flags: number, raw: string[] = []) => {
      this.trailers = raw;
    });
  }

  get body(): Readable | undefined {
    return this.#hasBody ? this.#stream : undefined;
  }

  get aborted(): boolean {
    return this.#stream.aborted || this.#stream.destroyed || this.#stream.closed;
  }

  /** Whether the request is still on its way, read or not. */
  get isArriving(): boolean {
    return this.#hasBody && this.#stream.state.state === constants.NGHTTP2_STREAM_STATE_OPEN;
  }

  get answered(): boolean {
    return this.#stream.headersSent;
  }

  addHeader(name: string, value: string): void {
    this.#added.push(name, value);
  }

  answer(status: number, headers: string[], body: string): void {
    const bytes = Buffer.from(body);
    if (bytes.length > 0 || (this.method !== "HEAD" && status !== 304))
      headers.push("content-length", String(bytes.length));
    this.send(status, "", headers, bytes, true);
  }

  /** Ends a request that does not become whole: with 408, unless an answer was begun. */
  timeOut(): void {
    if (this.aborted) return;
    // Whoever reads the body must not take its end for the whole.
    this.#listener?.onClose();
    if (this.answered) this.abort();
    else answerText(this, 408, "request timeout\n");
  }

  listen(listener: ExchangeListener): void {
    this.#listener = listener;
    // A stream that is reset without an error also ends its body: whoever reads that must know better before.
    this.#stream.on("aborted", () => listener.onClose());
    this.#stream.on("close", () => listener.onClose());
    this.#stream.on("drain", () => listener.onDrain());
  }

  inform(status: number, headers: string[]): void {
    if (this.aborted || this.answered || status === 101) return;
    this.#stream.additionalHeaders({ ":status": status, ...headerObject(headers) });
  }

  send(status: number, _reason: string, headers: string[], body: Buffer, lasts?: boolean): void {
    if (this.aborted) return;
    const isEmpty = body.length === 0 || this.method === "HEAD" || isBodiless(status);
    this.#respond(status, headers, { endStream: isEmpty });
    if (!isEmpty) this.#stream.end(lasts ? body : Buffer.from(body));
    this.#discardRest();
  }

  begin(status: number, _reason: string, headers: string[]): void {
    if (this.aborted) return;
    const endStream = this.method === "HEAD" || isBodiless(status);
    this.#respond(status, headers, { endStream, waitForTrailers: !endStream });
  }

  write(bytes: Buffer): boolean {
    return this.aborted || this.#stream.writableEnded || this.#stream.write(Buffer.from(bytes));
  }

  end(trailers: readonly string[]): void {
    const stream = this.#stream;
    if (this.aborted) return;
    stream.once("wantTrailers", () => stream.sendTrailers(headerObject(trailers)));
    if (!stream.writableEnded) stream.end();
    this.#discardRest();
  }

  abort(): void {
    if (this.aborted) return;
    this.wasCut = true;
    this.#stream.destroy(new Error("the answer cannot be completed"));
  }

  switchProtocols(): Duplex {
    throw new Error("there is no other protocol within HTTP/2");
  }

  #respond(
    status: number,
    headers: readonly string[],
    options: { endStream: boolean; waitForTrailers?: boolean },
  ): void {
    this.#stream.respond({ ":status": status, ...headerObject([...headers, ...this.#added]) }, options);
  }

  /** What passed over for a moment; then the client is told to stop (RFC 9113, 8.1). */
  #discardRest(): void {
    const stream = this.#stream;
    this.#onWhole(stream);
    if (stream.readableEnded || !this.#hasBody) {
      stream.resume();
      return;
    }
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), lingerMs);
    stream.once("close", () => clearTimeout(timer));
    stream.resume();
  }
}

function isBodiless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/** In lower case, without what belongs to connections of HTTP/1 (RFC 9113, 8.2.2). */
function headerObject(flat: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let index = 0; index < flat.length; index += 2) {
    const name = (flat[index] ?? "").toLowerCase();
    const value = flat[index + 1] ?? "";
    const before = headers[name];
    if (connectionHeaders.has(name)) continue;
    if (before === undefined) headers[name] = value;
    else if (Array.isArray(before)) before.push(value);
    else headers[name] = [before, value];
  }
  return headers;
}
