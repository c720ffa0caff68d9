/** A request's body on its way to a backend, framed as the head says and at the pace of whichever side is slower. */
import type { Readable } from "node:stream";
import type { Exchange } from "../http/exchange.ts";
import type { BackendConnection } from "./backend/connection.ts";
import { bodyDeadline } from "./body-rate.ts";
import type { ForwardLimits } from "./forward.ts";
import { formatTrailers, type RequestHead } from "./request-head.ts";

export interface RequestBodyListener {
  /** Bytes went on their way; `flows`: the next may follow at once, else after the backend's `drain`. */
  onBodyBytes(bytes: number, flows: boolean): void;
  onBodyEnd(): void;
  onBodyTooLarge(): void;
  onClientGone(): void;
}

export class RequestBody {
  readonly #exchange: Exchange;
  readonly #stream: Readable;
  readonly #framing: RequestHead["body"];
  readonly #limits: ForwardLimits;
  readonly #listener: RequestBodyListener;
  #connection: BackendConnection | undefined;
  #bytes = 0;
  #isStarted = false;
  #isEnded = false;
  /** Until when more of it must come; infinity while it is not the client who is waited for. */
  deadline: number = Number.POSITIVE_INFINITY;

  constructor(
    exchange: Exchange,
    stream: Readable,
    framing: RequestHead["body"],
    limits: ForwardLimits,
    listener: RequestBodyListener,
  ) {
    this.#exchange = exchange;
    this.#stream = stream;
    this.#framing = framing;
    this.#limits = limits;
    this.#listener = listener;
  }

  /** Some of it is gone, so the request cannot be sent again. */
  get isUsed(): boolean {
    return this.#bytes > 0;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** It is being read, and more of it is to come. */
  get isAwaited(): boolean {
    return this.#isStarted && !this.#isEnded;
  }

  /** It is the backend who takes no more of it. */
  get isHeld(): boolean {
    return this.#stream.isPaused();
  }

  sendTo(connection: BackendConnection): void {
    this.#connection = connection;
    if (this.#isEnded) this.#finish(connection);
    else if (this.#isStarted) this.#stream.resume();
    else this.#start();
  }

  /** Reads no further until there is another connection to send it to. */
  hold(): void {
    this.#connection = undefined;
    this.#stream.pause();
  }

  goOn(): void {
    if (this.isAwaited) this.#stream.resume();
  }

  /** Sends nothing more. What is left of it stands before the connection's next request, and is read over. */
  drop(): void {
    this.#connection = undefined;
    this.goOn();
  }

  #start(): void {
    this.#isStarted = true;
    this.#stream.on("data", (chunk: Buffer) => this.#onBytes(chunk));
    this.#stream.on("end", () => this.#onEnd());
    this.#stream.on("error", () => this.#listener.onClientGone());
  }

  #onBytes(chunk: Buffer): void {
    const connection = this.#connection;
    this.#bytes += chunk.length;
    if (connection === undefined) return;
    if (this.#bytes > this.#limits.maxBodyBytes) {
      this.#listener.onBodyTooLarge();
      return;
    }
    const flows = this.#framing === "chunked" ? sendChunk(connection, chunk) : connection.sendBody(chunk);
    if (!flows) this.#stream.pause();
    this.deadline = flows
      ? bodyDeadline(this.deadline, chunk.length, performance.now(), this.#limits)
      : Number.POSITIVE_INFINITY;
    this.#listener.onBodyBytes(chunk.length, flows);
  }

  #onEnd(): void {
    this.#isEnded = true;
    this.deadline = Number.POSITIVE_INFINITY;
    if (this.#connection !== undefined) this.#finish(this.#connection);
  }

  #finish(connection: BackendConnection): void {
    if (this.#framing === "chunked")
      connection.sendBody(`0\r\n${formatTrailers(this.#exchange.trailers)}\r\n`);
    this.#listener.onBodyEnd();
    connection.requestEnded();
  }
}

function sendChunk(connection: BackendConnection, chunk: Buffer): boolean {
  connection.socket.cork();
  connection.sendBody(`${chunk.length.toString(16)}\r\n`);
  connection.sendBody(chunk);
  const flows = connection.sendBody("\r\n");
  connection.socket.uncork();
  return flows;
}
