import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Refusal } from "./exchange.ts";
import { peerOf } from "./peer.ts";

export type RefusalReason =
  | "host"
  | "syntax"
  | "too_large"
  | "timeout"
  | "connections"
  | "requests"
  | "tls"
  | "proxy_protocol"
  | "resets"
  | "slow_reader";

const refusals: Readonly<Record<string, readonly [string, RefusalReason]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "too_large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Payload Too Large", "too_large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "timeout"],
};

/** The status and the reason for an error code of Node's parser. */
export function parserRefusal(code: string | undefined): readonly [status: string, reason: RefusalReason] {
  return refusals[code ?? ""] ?? ["400 Bad Request", "syntax"];
}

const withBody = Symbol("response");

/** Node says which response has a connection, though it does not promise to; it is tested. */
type Answering = Duplex & { readonly _httpMessage?: ServerResponse | null; [withBody]?: ServerResponse };

/**
 * The response that is under way on a connection. Not kept here: connections grow old, and what an old object holds of
 * each request is copied by the garbage collector again and again.
 */
export function pendingResponse(socket: Duplex): ServerResponse | undefined {
  return (socket as Answering)._httpMessage ?? undefined;
}

/** Remembers the response to a request whose body may still arrive after it is answered. */
export function setResponseToBody(socket: Duplex, response: ServerResponse): void {
  (socket as Answering)[withBody] = response;
}

/** Whether the request that a connection stands in has had its whole answer: its client need not send the rest of the body. */
export function isAnswered(socket: Duplex): boolean {
  const response = (socket as Answering)[withBody];
  return response?.writableFinished === true && !response.req.complete;
}

/** The client went away before it had an answer: a status of nginx's own, known to readers of logs. */
export const clientClosed = 499;

/** Whether the request that is being answered has not all of its body yet. */
export function isWithinBody(socket: Duplex): boolean {
  return pendingResponse(socket)?.req.complete === false;
}

/** Ends a connection whose client went away within a body; an answer that is written whole may still reach it. */
export function endAbandoned(socket: Duplex): void {
  const pending = pendingResponse(socket);
  if (pending?.writableEnded === true) pending.once("finish", () => socket.end());
  else socket.destroy();
}

/** What of its request a refusal can tell. */
export function refusalOf(
  request: IncomingMessage,
  socket: Duplex,
  { status, bytes }: Pick<Refusal, "status" | "bytes">,
): Refusal {
  const { method = "", url = "", httpVersion, rawHeaders } = request;
  return { ...emptyRefusal(socket), method, target: url, httpVersion, rawHeaders, status, bytes };
}

/** Of bytes that the parser did not understand; undefined when there were none: a connection that was opened in vain. */
export function refusalOfBytes(
  socket: Duplex,
  packet: Buffer | undefined,
  { status, bytes }: Pick<Refusal, "status" | "bytes">,
): Refusal | undefined {
  const { bytesRead } = socket as Socket;
  if (bytesRead === 0) return undefined;
  // Further on, a piece may begin anywhere, with a password too.
  const line = packet?.length === bytesRead ? firstLine(packet) : "";
  return { ...emptyRefusal(socket), line, status, bytes };
}

const maxLineBytes = 1024;

function firstLine(packet: Buffer): string {
  const [line = ""] = packet.toString("latin1", 0, maxLineBytes).split(/[\r\n]/, 1);
  return line;
}

function emptyRefusal(socket: Duplex): Omit<Refusal, "status" | "bytes"> {
  const scheme = "encrypted" in socket ? "https" : "http";
  return { method: "", target: "", httpVersion: "", scheme, rawHeaders: [], peer: peerOf(socket as Socket) };
}

/**
 * Ends a connection on which something came that is no HTTP. Whole requests before it get their answers first; of the
 * request it stands in, an answer that was begun stays without its end. Calls `refused`, with the bytes of the answer's
 * body, where it stands in none.
 */
export function endBroken(socket: Duplex, status: string, refused: (bytes: number) => void): void {
  const pending = pendingResponse(socket);
  if (pending === undefined) refused(endRefused(socket, status));
  else if (pending.req.complete) pending.once("finish", () => endBroken(socket, status, refused));
  else if (pending.writableEnded) pending.once("finish", () => socket.end());
  else if (pending.headersSent) socket.destroy();
  else {
    endRefused(socket, status);
    // Whoever answers this request need not wait for the connection to be closed.
    pending.emit("close", statusCode(status));
  }
}

export const statusCode = (status: string): number => Number(status.slice(0, 3));

const lingerMs = 1_000;

/**
 * Answers without an exchange, and closes the connection. What the client still sends is read for a moment, since it
 * could not read the answer otherwise (RFC 9112, 9.6). Returns how many bytes the body has.
 */
export function endRefused(socket: Duplex, status: string): number {
  const body = `${status.slice(4).toLowerCase()}\n`;
  const head = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.on("error", () => socket.destroy());
  socket.once("close", () => clearTimeout(timer));
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`);
  socket.resume();
  return body.length;
}
