import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex, Readable } from "node:stream";
import { writeCopy } from "./copied-write.ts";
import type { Exchange, ExchangeListener } from "./exchange.ts";
import { hasLength } from "./header-lines.ts";
import type { RequestFacts } from "./node1-request.ts";
import { resetSocket } from "./node1-reset.ts";
import { peerOf } from "./peer.ts";

const maxUnreadBodyBytes = 1024 * 1024;
const maxTextBytes = 16 * 1024;
const lingerMs = 1_000;

export interface Node1ExchangeOptions {
  readonly close: boolean;
  readonly expectsContinue: boolean;
  /** Whether connections end with the answers that are under way. */
  readonly server: { readonly draining: boolean };
}

/** A request to node:http and its response. One small object on the hit path; no closure and no promise. */
export class Node1Exchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly authority: string;
  readonly expectsContinue: boolean;
  readonly upgrade = undefined;
  close: boolean;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #facts: RequestFacts;
  readonly #server: Node1ExchangeOptions["server"];
  #continued = false;
  #added: string[] | undefined;
  /** Nothing but the end of the connection says where the answer ends. */
  #endsWithConnection = false;
  #listener: ExchangeListener | undefined;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    facts: RequestFacts,
    { close, expectsContinue, server }: Node1ExchangeOptions,
  ) {
    this.method = request.method ?? "GET";
    this.target = request.url ?? "/";
    this.rawHeaders = request.rawHeaders;
    this.authority = facts.authority;
    this.expectsContinue = expectsContinue;
    this.close = close;
    this.#server = server;
    this.#request = request;
    this.#response = response;
    this.#facts = facts;
  }

  get peer(): string | undefined {
    return peerOf(this.#request.socket);
  }

  get httpVersion(): "1.0" | "1.1" {
    return this.#request.httpVersionMinor === 0 ? "1.0" : "1.1";
  }

  get scheme(): "http" | "https" {
    return "encrypted" in this.#request.socket ? "https" : "http";
  }

  get body(): Readable | undefined {
    return this.#facts.body === "none" ? undefined : this.#request;
  }

  get trailers(): readonly string[] {
    return this.#request.rawTrailers;
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
    // Whoever sends too slowly would go on to do so (RFC 9110, 15.5.9).
    if (status === 408) this.close = true;
    this.#complete(headers);
    const response = this.#response.writeHead(status, headers);
    const encoding = length === body.length ? "latin1" : "utf8";
    if (this.#mustLinger) {
      response.flushHeaders();
      response.write(body, encoding);
      this.#endLater();
    }
    // Their values are bytes, so the body must not bring the head into its encoding.
    else if (this.#added !== undefined) response.end(Buffer.from(body));
    // Head and body leave in one write; a text of ASCII only is cheaper to write as latin1.
    else response.end(body, encoding);
  }

  listen(listener: ExchangeListener): void {
    this.#listener = listener;
    this.#response.on("close", (refusedWith?: number) => listener.onClose(refusedWith));
  }

  inform(status: number, headers: string[]): void {
    if (this.httpVersion === "1.0" || this.answered) return;
    if (status === 100) {
      this.#continued = true;
      this.#response.writeContinue();
      return;
    }
    const response = this.#response as ServerResponse & {
      writeInformation?: (status: number, headers: readonly string[]) => void;
    };
    response.writeInformation?.(status, headers);
  }

  send(status: number, reason: string, headers: string[], body: Buffer, lasts?: boolean): void {
    this.#complete(headers);
    const response = this.#response.writeHead(status, reason, headers);
    if (this.#mustLinger) {
      response.write(lasts ? body : Buffer.from(body));
      this.#endLater();
    } else if (lasts) response.end(body);
    // A short body leaves in one write with the head.
    else if (body.length <= maxTextBytes) response.end(body.toString("latin1"), "latin1");
    else response.end(Buffer.from(body));
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.#endsWithConnection = this.httpVersion === "1.0" && !hasLength(headers);
    this.#complete(headers);
    this.#response.on("drain", () => this.#listener?.onDrain());
    this.#response.writeHead(status, reason, headers);
  }

  write(bytes: Buffer): boolean {
    return writeCopy(this.#response, bytes);
  }

  end(trailers: readonly string[]): void {
    if (trailers.length > 0) this.#response.addTrailers(pairs(trailers));
    if (this.#mustLinger) this.#endLater();
    else this.#response.end();
  }

  abort(): void {
    if (this.#endsWithConnection) resetSocket(this.#request.socket);
    this.#response.destroy();
  }

  switchProtocols(): Duplex {
    throw new Error("the client did not ask for another protocol");
  }

  /** Whether the client may still be sending a body that nobody wants. */
  get #isUnread(): boolean {
    return this.#facts.body !== "none" && !this.#request.complete;
  }

  #complete(headers: string[]): void {
    if (this.#isUnread) {
      const { body, bodyBytes } = this.#facts;
      const waits = this.expectsContinue && !this.#continued;
      if (waits || body === "chunked" || bodyBytes > maxUnreadBodyBytes) this.close = true;
    }
    if (this.#added !== undefined) headers.push(...this.#added);
    if (this.#server.draining) this.close = true;
    if (this.close) headers.push("Connection", "close");
  }

  /** Closing while the client still sends would lose it what it has not read yet. */
  get #mustLinger(): boolean {
    return this.close && this.#isUnread && !(this.expectsContinue && !this.#continued);
  }

  #endLater(): void {
    const end = (): void => {
      clearTimeout(timer);
      this.#response.end();
    };
    const timer = setTimeout(end, lingerMs);
    this.#request.once("end", end);
    this.#response.once("close", () => clearTimeout(timer));
    this.#request.resume();
  }
}

function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let index = 0; index < flat.length; index += 2) list.push([flat[index] ?? "", flat[index + 1] ?? ""]);
  return list;
}
