import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";

export type RefusalReason =
  | "host"
  | "syntax"
  | "too_large"
  | "timeout"
  | "connections"
  | "requests"
  | "tls"
  | "proxy_protocol"
  | "resets";

const refusals: Readonly<Record<string, readonly [string, RefusalReason]>> = {
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "too_large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["413 Payload Too Large", "too_large"],
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "timeout"],
};

/** The status and the reason for an error code of Node's parser. */
export function parserRefusal(code: string | undefined): readonly [status: string, reason: RefusalReason] {
  return refusals[code ?? ""] ?? ["400 Bad Request", "syntax"];
}

/** The response that is under way on a connection. */
export function pendingResponse(socket: Duplex): ServerResponse | undefined {
  return (socket as { _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;
}

/**
 * Ends a connection on which something came that is no HTTP. Whole requests before it get their answers first; of the
 * request it stands in, an answer that was begun stays without its end.
 */
export function endBroken(socket: Duplex, status: string): void {
  const pending = pendingResponse(socket);
  if (pending === undefined) endRefused(socket, status);
  else if (pending.req.complete) pending.once("finish", () => endBroken(socket, status));
  else if (pending.writableEnded) pending.once("finish", () => socket.end());
  else if (pending.headersSent) socket.destroy();
  else {
    endRefused(socket, status);
    // Whoever answers this request need not wait for the connection to be closed.
    pending.emit("close");
  }
}

const lingerMs = 1_000;

/**
 * Answers without an exchange, and closes the connection. What the client still sends is read for a moment, since it
 * could not read the answer otherwise (RFC 9112, 9.6).
 */
export function endRefused(socket: Duplex, status: string): void {
  const body = `${status.slice(4).toLowerCase()}\n`;
  const head = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`;
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.on("error", () => socket.destroy());
  socket.once("close", () => clearTimeout(timer));
  socket.end(`HTTP/1.1 ${status}\r\n${head}\r\n\r\n${body}`);
  socket.resume();
}
