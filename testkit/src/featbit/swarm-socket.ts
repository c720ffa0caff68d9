/** A WebSocket of the least work: ten thousand of them share a machine with what they test. */

import { connect, type Socket } from "node:net";
import { resetSocket } from "../reset-socket.ts";

export interface SwarmSocketEvents {
  onOpen(): unknown;
  /** The body is only good during the call. */
  onMessage(body: Buffer): unknown;
  /** Once. The close code; 1006 without one. `status` is that of an upgrade that was refused. */
  onClose(code: number, status: number | undefined, error: string | undefined): unknown;
}

export interface SwarmTarget {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** Every socket reads into the same memory: each chunk is dealt with before the next is read. */
const shared = Buffer.allocUnsafe(256 * 1024);

export class SwarmSocket {
  readonly #socket: Socket;
  readonly #events: SwarmSocketEvents;
  #isOpen = false;
  #isFrozen = false;
  #closed = false;
  /** What came of a frame that is not whole yet. */
  #rest: Buffer[] = [];
  #restBytes = 0;
  #needed = 0;
  #error: string | undefined;

  constructor({ host, port, path }: SwarmTarget, events: SwarmSocketEvents) {
    this.#events = events;
    const onread = { buffer: shared, callback: (count: number) => this.#take(shared.subarray(0, count)) };
    this.#socket = connect({ host, port, noDelay: true, onread });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#error = error.code ?? error.message;
    });
    this.#socket.on("close", () => this.#end(1006, undefined));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  }

  send(frame: Buffer): void {
    if (this.#isOpen && !this.#closed) this.#socket.write(frame);
  }

  /** Never reads again; what is sent to it stays in the kernel. */
  freeze(): void {
    this.#isFrozen = true;
    this.#socket.pause();
  }

  reset(): void {
    resetSocket(this.#socket);
  }

  #end(code: number, status: number | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    this.#rest = [];
    this.#events.onClose(code, status, this.#error);
  }

  /** Returns false to read no more. */
  #take(chunk: Buffer): boolean {
    if (this.#restBytes + chunk.length < this.#needed) this.#keep(chunk);
    else {
      const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([...this.#rest, chunk]);
      this.#rest = [];
      this.#restBytes = 0;
      const used = this.#isOpen ? this.#takeFrames(bytes, 0) : this.#takeHead(bytes);
      if (used < bytes.length && !this.#closed) this.#keep(bytes.subarray(used));
    }
    return !this.#isFrozen;
  }

  #keep(chunk: Buffer): void {
    this.#rest.push(Buffer.from(chunk));
    this.#restBytes += chunk.length;
  }

  #takeHead(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0) return 0;
    const status = Number(bytes.toString("latin1", 9, 12));
    if (status !== 101) {
      this.#end(1006, status);
      return bytes.length;
    }
    this.#isOpen = true;
    this.#events.onOpen();
    return this.#takeFrames(bytes, end + 4);
  }

  /** Servers send whole messages, unmasked; returns where the first incomplete frame begins. */
  #takeFrames(bytes: Buffer, from: number): number {
    let at = from;
    this.#needed = 0;
    while (bytes.length - at >= 2 && !this.#closed) {
      const opcode = (bytes[at] ?? 0) & 0x0f;
      let length = (bytes[at + 1] ?? 0) & 0x7f;
      const head = length < 126 ? 2 : length === 126 ? 4 : 10;
      if (bytes.length - at < head) break;
      if (length === 126) length = bytes.readUInt16BE(at + 2);
      else if (length === 127) length = Number(bytes.readBigUInt64BE(at + 2));
      if (bytes.length - at < head + length) {
        this.#needed = head + length;
        break;
      }
      const body = bytes.subarray(at + head, at + head + length);
      at += head + length;
      if (opcode === 8) this.#end(length >= 2 ? body.readUInt16BE(0) : 1005, undefined);
      else if (opcode === 9) this.send(clientFrame(body, 10));
      else if (opcode === 1 || opcode === 2) this.#events.onMessage(body);
    }
    return at;
  }
}

/** Masked, as clients must, with a mask of zeros. */
export function clientFrame(body: Buffer, opcode: number = 1): Buffer {
  const head = body.length < 126 ? 6 : 8;
  const frame = Buffer.alloc(head + body.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | Math.min(body.length, 126);
  if (head === 8) frame.writeUInt16BE(body.length, 2);
  body.copy(frame, head);
  return frame;
}
