/**
 * A strict, incremental reader of what a backend sends on one HTTP/1 connection. Invariants:
 * - bytes are handed on in order, each once; what is handed on is a view that is valid during the call only;
 * - after a throw, or after a response that ends with the connection, the parser is not used again;
 * - memory is bounded: a head by `maxHeadBytes`, chunk sizes and trailers likewise; bodies are never kept.
 */
import { type ChunkedReader, createChunkedReader } from "./chunked-reader.ts";
import { garbage, parseResponseHead, type ResponseHead } from "./response-head.ts";

/** Takes a response as it arrives. */
export interface ResponseSink {
  /** A 1xx that is not the answer. */
  onInformational(head: ResponseHead): void;
  /** The whole response was at hand at once. */
  onWhole(head: ResponseHead, body: Buffer): void;
  /** The head; the body follows. */
  onHead(head: ResponseHead): void;
  onBody(bytes: Buffer): void;
  /** The response is complete. `trailers` are names and values in turn. */
  onEnd(trailers: readonly string[]): void;
  /** 101: `rest` are the first bytes of the other protocol. */
  onUpgrade(head: ResponseHead, rest: Buffer): void;
}

type State = "idle" | "head" | "length" | "chunked" | "close" | "upgraded";

const maxInformational = 16;
const noTrailers: readonly string[] = [];
const headEnd = Buffer.from("\r\n\r\n");
const protocol = Buffer.from("HTTP/1.");

export class ResponseParser {
  #state: State = "idle";
  #method = "";
  #sink: ResponseSink | undefined;
  #partial: Buffer | undefined;
  #remaining = 0;
  #chunked: ChunkedReader | undefined;
  #keepAlive = false;
  #keepAliveMs: number | undefined;
  #informational = 0;
  readonly #maxHeadBytes: number;

  constructor(maxHeadBytes: number) {
    this.#maxHeadBytes = maxHeadBytes;
  }

  /** Whether a response is awaited or in the middle. */
  get isBusy(): boolean {
    return this.#state !== "idle";
  }

  /** Whether the last response left the connection usable. */
  get keepAlive(): boolean {
    return this.#keepAlive;
  }

  /** For how long it stays so, if the backend said that. */
  get keepAliveMs(): number | undefined {
    return this.#keepAliveMs;
  }

  /** Whether anything of the response has arrived. */
  get hasBegun(): boolean {
    return this.#partial !== undefined || (this.#state !== "idle" && this.#state !== "head");
  }

  /** Waits for the response to a request. */
  expect(method: string, sink: ResponseSink): void {
    this.#state = "head";
    this.#method = method;
    this.#sink = sink;
    this.#informational = 0;
    this.#keepAlive = false;
  }

  /** Reads what arrived. @throws BACKEND_GARBAGE */
  feed(bytes: Buffer): void {
    let rest = bytes;
    while (rest.length > 0) {
      switch (this.#state) {
        case "idle":
          throw garbage("bytes that belong to no request");
        case "head":
          rest = this.#feedHead(rest);
          break;
        case "length":
          rest = this.#feedLength(rest);
          break;
        case "chunked":
          rest = this.#feedChunked(rest);
          break;
        default:
          this.#sink?.onBody(rest);
          return;
      }
    }
  }

  /** The backend ended the connection. True when that ends the response as it should. */
  close(): boolean {
    if (this.#state !== "close") return this.#state === "idle";
    this.#end(noTrailers, false);
    return true;
  }

  #feedHead(bytes: Buffer): Buffer {
    const all = this.#partial === undefined ? bytes : Buffer.concat([this.#partial, bytes]);
    const from = this.#partial === undefined ? 0 : Math.max(0, this.#partial.length - 3);
    const end = all.indexOf(headEnd, from);
    if (end === -1 ? all.length > this.#maxHeadBytes : end > this.#maxHeadBytes)
      throw garbage(`a head of more than ${this.#maxHeadBytes} bytes`);
    if (end === -1) {
      assertMayBecomeHead(all, from);
      this.#partial = this.#partial === undefined ? Buffer.from(bytes) : all;
      return bytes.subarray(bytes.length);
    }
    this.#partial = undefined;
    const head = parseResponseHead(all.toString("latin1", 0, end), this.#method);
    return this.#begin(head, all.subarray(end + 4));
  }

  #begin(head: ResponseHead, rest: Buffer): Buffer {
    if (head.status < 200) return this.#beginInformational(head, rest);
    this.#keepAlive = head.keepAlive;
    this.#keepAliveMs = head.keepAliveMs;
    const { framing } = head;
    switch (framing.kind) {
      case "none":
        return this.#whole(head, rest, 0);
      case "length":
        if (rest.length >= framing.bytes) return this.#whole(head, rest, framing.bytes);
        this.#state = "length";
        this.#remaining = framing.bytes;
        break;
      case "chunked":
        this.#state = "chunked";
        this.#chunked = createChunkedReader(this.#maxHeadBytes);
        break;
      case "close":
        this.#state = "close";
    }
    this.#sink?.onHead(head);
    return rest;
  }

  #beginInformational(head: ResponseHead, rest: Buffer): Buffer {
    if (head.status === 101) {
      this.#state = "upgraded";
      this.#sink?.onUpgrade(head, rest);
      return rest.subarray(rest.length);
    }
    this.#informational += 1;
    if (this.#informational > maxInformational) throw garbage("too many informational responses");
    this.#sink?.onInformational(head);
    return rest;
  }

  #whole(head: ResponseHead, bytes: Buffer, length: number): Buffer {
    const sink = this.#sink;
    this.#state = "idle";
    this.#sink = undefined;
    if (bytes.length > length) this.#keepAlive = false;
    sink?.onWhole(head, bytes.length === length ? bytes : bytes.subarray(0, length));
    return bytes.subarray(bytes.length);
  }

  #feedLength(bytes: Buffer): Buffer {
    if (bytes.length < this.#remaining) {
      this.#remaining -= bytes.length;
      this.#sink?.onBody(bytes);
      return bytes.subarray(bytes.length);
    }
    this.#sink?.onBody(bytes.subarray(0, this.#remaining));
    this.#end(noTrailers, bytes.length > this.#remaining);
    return bytes.subarray(bytes.length);
  }

  #feedChunked(bytes: Buffer): Buffer {
    const reader = this.#chunked;
    if (reader === undefined) return bytes;
    const used = reader.feed(bytes, (data) => this.#sink?.onBody(data));
    if (!reader.isDone) return bytes.subarray(bytes.length);
    this.#chunked = undefined;
    this.#end(reader.trailers, used < bytes.length);
    return bytes.subarray(bytes.length);
  }

  /** `hasMore`: bytes follow that belong to no request, so nothing more is believed of this connection. */
  #end(trailers: readonly string[], hasMore: boolean): void {
    const sink = this.#sink;
    this.#state = "idle";
    this.#sink = undefined;
    if (hasMore) this.#keepAlive = false;
    sink?.onEnd(trailers);
  }
}

/**
 * Refuses at once what no further byte can make a head of HTTP/1: a greeting of another protocol would never end, nor a head
 * whose lines end without CR. What stands before `from` was looked at already, save its last byte.
 * @throws BACKEND_GARBAGE
 */
function assertMayBecomeHead(bytes: Buffer, from: number): void {
  const length = Math.min(bytes.length, protocol.length);
  if (bytes.compare(protocol, 0, length, 0, length) !== 0) throw garbage("it does not begin with HTTP/1");
  for (let at = bytes.indexOf(10, from); at !== -1; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at - 1] !== 13) throw garbage("a line that ends without CR");
  }
}
