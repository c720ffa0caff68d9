import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Tally } from "../core/metrics.ts";
import type { Exchange, ExchangeListener } from "./exchange.ts";
import { hasLength } from "./header-lines.ts";
import type { RequestFacts } from "./node1-request.ts";
import { resetSocket } from "./node1-reset.ts";
import { peerOf } from "./peer.ts";

const silentMs = 60_000;
/** For how long after the answer the client may still send, so that it can read the answer. */
const lingerMs = 1_000;

const onReadable = (): void => {};

/**
 * A request that asks for another protocol. Node hands over its socket, so the answer is written here: 101 and the
 * tunnel, or a refusal after which the connection is closed, since what follows may be the other protocol already.
 *
 * What the client sends before the answer waits in the socket's own buffer, which stops reading when it is full: behind
 * 101 it belongs to the tunnel (RFC 9110, 7.8), behind anything else it is thrown away unread.
 */
export class UpgradeExchange implements Exchange {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly authority: string;
  readonly upgrade: string;
  readonly httpVersion = "1.1";
  readonly body = undefined;
  readonly trailers: readonly string[] = [];
  readonly expectsContinue = false;
  readonly peer: string | undefined;
  readonly #socket: Socket;
  readonly #waiting: Tally;
  readonly #added: string[] = [];
  #onClose = (): void => {};
  #onDrain = (): void => {};
  #answered = false;
  #waits = true;
  #endsWithConnection = false;

  constructor(
    request: IncomingMessage,
    socket: Socket,
    {
      rest,
      facts,
      waiting,
    }: { readonly rest: Buffer; readonly facts: RequestFacts; readonly waiting: Tally },
  ) {
    this.method = request.method ?? "GET";
    this.target = request.url ?? "/";
    this.rawHeaders = request.rawHeaders;
    this.authority = facts.authority;
    this.upgrade = request.headers.upgrade ?? "";
    this.peer = peerOf(socket);
    this.#socket = socket;
    this.#waiting = waiting;
    waiting.value++;
    if (rest.length > 0) socket.unshift(rest);
    socket.on("readable", onReadable).on("close", this.#stopWaiting);
  }

  get scheme(): "http" | "https" {
    return "encrypted" in this.#socket ? "https" : "http";
  }

  get aborted(): boolean {
    return this.#socket.destroyed;
  }

  addHeader(name: string, value: string): void {
    this.#added.push(name, value);
  }

  answer(status: number, headers: string[], body: string): void {
    const length = Buffer.byteLength(body);
    this.#writeHead(status, STATUS_CODES[status] ?? "", [...headers, "Content-Length", String(length)]);
    this.#end(this.method === "HEAD" ? "" : body);
  }

  listen(listener: ExchangeListener): void {
    this.#onClose = () => listener.onClose();
    this.#onDrain = () => listener.onDrain();
    this.#socket.on("close", this.#onClose).on("drain", this.#onDrain);
  }

  inform(): void {}

  send(status: number, reason: string, headers: string[], body: Buffer): void {
    this.#writeHead(status, reason, headers);
    this.#end(Buffer.from(body));
  }

  begin(status: number, reason: string, headers: string[]): void {
    this.#endsWithConnection = !hasLength(headers);
    this.#writeHead(status, reason, headers);
  }

  write(bytes: Buffer): boolean {
    return this.#socket.write(Buffer.from(bytes));
  }

  end(): void {
    this.#end("");
  }

  abort(): void {
    if (this.#endsWithConnection) resetSocket(this.#socket);
    else this.#socket.destroy();
  }

  switchProtocols(headers: readonly string[] | undefined): Duplex {
    this.#answered = true;
    this.#stopWaiting();
    this.#socket.off("close", this.#onClose).off("drain", this.#onDrain);
    this.#socket.pause();
    if (headers !== undefined) {
      let head = "HTTP/1.1 101 Switching Protocols\r\n";
      for (let index = 0; index < headers.length; index += 2)
        head += `${headers[index]}: ${headers[index + 1]}\r\n`;
      this.#socket.write(`${head}\r\n`, "latin1");
    }
    return this.#socket;
  }

  #end(last: string | Buffer): void {
    const socket = this.#socket;
    const timer = setTimeout(() => socket.destroy(), lingerMs);
    socket.once("close", () => clearTimeout(timer));
    socket.end(last);
  }

  readonly #stopWaiting = (): void => {
    if (!this.#waits) return;
    this.#waits = false;
    this.#waiting.value--;
    this.#socket.off("readable", onReadable).off("close", this.#stopWaiting);
  };

  #writeHead(status: number, reason: string, headers: readonly string[]): void {
    if (this.#answered) return;
    this.#answered = true;
    this.#stopWaiting();
    this.#socket.resume();
    let head = `HTTP/1.1 ${status} ${reason}\r\n`;
    const all = [...headers, ...this.#added];
    for (let index = 0; index < all.length; index += 2) head += `${all[index]}: ${all[index + 1]}\r\n`;
    this.#socket.setTimeout(silentMs, () => this.#socket.destroy());
    this.#socket.write(`${head}Connection: close\r\n\r\n`, "latin1");
  }
}
