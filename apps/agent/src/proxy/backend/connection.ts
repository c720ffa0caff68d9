/**
 * One connection to a backend that carries one request after another. Invariants:
 * - at most one call at a time; the pool owns a connection without a call, the call owns it meanwhile;
 * - a call ends exactly once: by `onDone` or by `onFailed`;
 * - a connection whose request was not fully sent, or whose response was cut or odd, is never used again.
 */
import { connect as connectTcp, type NetConnectOpts, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { agentErrors } from "../../core/errors.ts";
import type { ResponseHead } from "./response-head.ts";
import { ResponseParser, type ResponseSink } from "./response-parser.ts";

/** Where a backend listens. */
export interface BackendAddress {
  /** As in messages and metrics: `http://127.0.0.1:3000`. */
  readonly text: string;
  readonly host: string;
  readonly port: number;
  /** A unix socket, instead of host and port. */
  readonly path?: string | undefined;
  readonly tls?: ConnectionOptions | undefined;
}

/** One request in the hands of a connection. */
export interface BackendCall {
  readonly method: string;
  /** The connection stands, before anything was sent. */
  onConnected(): void;
  onInformational(head: ResponseHead): void;
  /** The whole response at once. */
  onWhole(head: ResponseHead, body: Buffer): void;
  onHead(head: ResponseHead): void;
  /** The view is valid during the call only. */
  onBody(bytes: Buffer): void;
  onEnd(trailers: readonly string[]): void;
  /** The connection belongs to the caller from now on. */
  onUpgrade(head: ResponseHead, socket: Socket, rest: Buffer): void;
  /** More of the request's body may be written. */
  onDrain(): void;
  /** `answered`: how much of the response had arrived. */
  onFailed(error: Error, answered: "nothing" | "something"): void;
}

const readBufferBytes = 64 * 1024;
const tlsBufferBytes = 16 * 1024;
/** What arrives is handed on before the next read, so all connections share one. TLS may read while it writes: not there. */
const sharedReadBuffer: Buffer = Buffer.allocUnsafeSlow(readBufferBytes);
const maxHeadBytes = 64 * 1024;

export class BackendConnection {
  readonly #address: BackendAddress;
  readonly #parser = new ResponseParser(maxHeadBytes);
  readonly #onIdle: (connection: BackendConnection) => void;
  readonly #onClosed: (connection: BackendConnection) => void;
  readonly #sink: ResponseSink;
  readonly socket: Socket;
  #call: BackendCall | undefined;
  #connected = false;
  #requestSent = false;
  #closed = false;
  /** From then on its bytes go through the socket's own stream. */
  #isUpgraded = false;
  /** Requests begun on it. */
  uses = 0;
  /** Since when and until when it may be idle, by the clock of the pool. */
  idleSince = 0;
  idleUntil = 0;

  constructor(
    address: BackendAddress,
    onIdle: (connection: BackendConnection) => void,
    onClosed: (connection: BackendConnection) => void,
  ) {
    this.#address = address;
    this.#onIdle = onIdle;
    this.#onClosed = onClosed;
    this.#sink = this.#createSink();
    this.socket = this.#open();
  }

  get isConnected(): boolean {
    return this.#connected;
  }

  /** For how long the backend lets it be idle, if it said so. */
  get keepAliveMs(): number | undefined {
    return this.#parser.keepAliveMs;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  #open(): Socket {
    const { host, port, path, tls } = this.#address;
    const options: NetConnectOpts = {
      ...(path === undefined ? { host, port } : { path }),
      onread: {
        buffer: tls === undefined ? sharedReadBuffer : Buffer.allocUnsafeSlow(tlsBufferBytes),
        callback: (length, buffer) => this.#onRead(buffer as Buffer, length),
      },
    };
    const socket =
      tls === undefined ? connectTcp(options) : connectTls({ ...options, ...tls } as ConnectionOptions);
    socket.once(tls === undefined ? "connect" : "secureConnect", () => {
      this.#connected = true;
      socket.setNoDelay(true);
      this.#call?.onConnected();
    });
    socket.on("error", (error: Error) => this.#fail(error));
    socket.on("end", () => this.#onEndOfStream());
    socket.on("close", () => this.#onSocketClosed());
    socket.on("drain", () => this.#call?.onDrain());
    return socket;
  }

  /** Takes a call; when connected already, `onConnected` is not called. */
  begin(call: BackendCall): void {
    this.#call = call;
    this.#requestSent = false;
    this.uses += 1;
    this.#parser.expect(call.method, this.#sink);
  }

  /** Sends the request's head; `isWhole` when no body follows. */
  sendHead(head: string, isWhole: boolean): void {
    this.#requestSent = isWhole;
    this.socket.write(head, "latin1");
  }

  /** False when the caller should wait for `onDrain`. */
  sendBody(bytes: Buffer | string): boolean {
    return typeof bytes === "string" ? this.socket.write(bytes, "latin1") : this.socket.write(bytes);
  }

  /** Nothing more of the request follows. */
  requestEnded(): void {
    this.#requestSent = true;
    if (this.#call === undefined && !this.#closed) this.#release();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Ends it at once; the call, if any, hears nothing more. */
  destroy(): void {
    this.#call = undefined;
    this.socket.destroy();
  }

  #createSink(): ResponseSink {
    return {
      onInformational: (head) => this.#call?.onInformational(head),
      onHead: (head) => this.#call?.onHead(head),
      onBody: (bytes) => this.#call?.onBody(bytes),
      onWhole: (head, body) => {
        const call = this.#finish();
        call?.onWhole(head, body);
      },
      onEnd: (trailers) => {
        const call = this.#finish();
        call?.onEnd(trailers);
      },
      onUpgrade: (head, rest) => {
        const call = this.#call;
        this.#call = undefined;
        this.#closed = true;
        this.#isUpgraded = true;
        this.socket.removeAllListeners();
        this.#onClosed(this);
        call?.onUpgrade(head, this.socket, Buffer.from(rest));
      },
    };
  }

  #finish(): BackendCall | undefined {
    const call = this.#call;
    this.#call = undefined;
    if (this.#requestSent) this.#release();
    return call;
  }

  #release(): void {
    if (this.#parser.keepAlive && !this.#closed) this.#onIdle(this);
    else this.socket.destroy();
  }

  #onRead(buffer: Buffer, length: number): boolean {
    const bytes = buffer.subarray(0, length);
    if (this.#isUpgraded) return this.socket.push(Buffer.from(bytes));
    if (this.#closed) return true;
    try {
      this.#parser.feed(bytes);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  }

  #onEndOfStream(): void {
    if (this.#parser.isBusy && this.#parser.close()) this.socket.destroy();
    else this.#fail(this.#closedError());
  }

  #onSocketClosed(): void {
    if (this.#closed) return;
    if (this.#call !== undefined) this.#fail(this.#closedError());
    this.#closed = true;
    this.#onClosed(this);
  }

  #closedError(): Error {
    const when = this.#parser.hasBegun ? "in the middle of its answer" : "before it answered";
    return agentErrors.create("BACKEND_CLOSED", { address: this.#address.text, when });
  }

  #fail(cause: Error): void {
    const call = this.#call;
    this.#call = undefined;
    this.socket.destroy();
    if (call === undefined) return;
    const answered = this.#parser.hasBegun ? "something" : "nothing";
    call.onFailed(
      this.#connected || "hint" in cause
        ? cause
        : agentErrors.create(
            "BACKEND_UNREACHABLE",
            { address: this.#address.text, reason: cause.message },
            { cause },
          ),
      answered,
    );
  }
}
