/** One WebSocket to FeatBit (2.1). The only file that knows `ws` on this side. */
import type { Socket } from "node:net";
import type { PosthouseError } from "@posthouse/protocol";
import { type RawData, WebSocket } from "ws";
import { agentErrors } from "../../core/errors.ts";
import type { UpstreamAddress } from "./upstream-address.ts";

export interface UpstreamSocket {
  readonly isOpen: boolean;
  /** Of the connection, frames of every kind included. */
  readonly bytesRead: number;
  /** Does nothing when it is not open. */
  send(text: string): void;
  pause(): void;
  resume(): void;
  /** Says goodbye, and does not wait long for an answer. */
  close(): void;
  terminate(): void;
}

/** Why there is no connection, or no longer one. */
export interface UpstreamEnd {
  readonly error: PosthouseError;
  /** The key is not accepted: trying at full speed is of no use. */
  readonly isRefused: boolean;
  /** FeatBit asked to wait so long. */
  readonly retryAfterMs: number;
}

export interface UpstreamSocketOptions {
  readonly upstream: UpstreamAddress;
  readonly maxPayload: number;
  readonly handshakeMs: number;
  onOpen(): void;
  onMessage(bytes: Uint8Array): void;
  /** Called once, whatever happens. */
  onEnd(end: UpstreamEnd): void;
}

const goodbyeMs = 500;
const refusedByServer = 4003;
const longestRetryAfterS = 600;

export function openUpstreamSocket(options: UpstreamSocketOptions): UpstreamSocket {
  const { upstream, maxPayload, handshakeMs } = options;
  const { address, key } = upstream;
  const what = "connect";
  const ws = new WebSocket(
    `${upstream.socket}/streaming?type=relay-proxy&token=${encodeURIComponent(key.reveal())}`,
    { maxPayload, perMessageDeflate: false, handshakeTimeout: handshakeMs, followRedirects: false },
  );
  let connection: Socket | undefined;
  let end: UpstreamEnd | undefined;
  let isOver = false;
  let lastError: string | undefined;

  /** The first reason counts; it is told once the socket is closed. */
  const failed = (error: PosthouseError, isRefused: boolean = false, retryAfterMs: number = 0): void => {
    end ??= { error, isRefused, retryAfterMs };
  };
  const deadline = setTimeout(() => {
    failed(unreachable(`not connected within ${handshakeMs / 1000} s`));
    ws.terminate();
  }, handshakeMs);
  const unreachable = (reason: string): PosthouseError =>
    agentErrors.create("FEATBIT_UNREACHABLE", { address, what, reason });

  ws.on("upgrade", ({ socket }) => {
    connection = socket;
  });
  ws.on("unexpected-response", (request, response) => {
    const { statusCode: status = 0, headers } = response;
    const isRefused = status === 401 || status === 403;
    const code = isRefused ? "FEATBIT_REFUSED" : "FEATBIT_UNREACHABLE";
    const seconds = Math.min(Number(headers["retry-after"] ?? 0) || 0, longestRetryAfterS);
    failed(
      agentErrors.create(code, { address, what, reason: `status ${status}` }),
      isRefused,
      Math.max(0, seconds * 1000),
    );
    response.on("error", () => {});
    request.destroy();
    ws.terminate();
  });
  ws.on("open", () => {
    clearTimeout(deadline);
    options.onOpen();
  });
  ws.on("message", (data: RawData) => options.onMessage(data as Buffer));
  ws.on("error", (error: Error & { code?: string }) => {
    lastError = error.code ?? error.message;
  });
  ws.on("close", (code, reason) => {
    clearTimeout(deadline);
    if (isOver) return;
    isOver = true;
    if (connection === undefined) failed(unreachable(lastError ?? "no connection"));
    else if (code === refusedByServer)
      failed(agentErrors.create("FEATBIT_REFUSED", { address, what, reason: describe(code, reason) }), true);
    else
      failed(agentErrors.create("FEATBIT_CLOSED", { address, reason: lastError ?? describe(code, reason) }));
    options.onEnd(end as UpstreamEnd);
  });

  /** What the peer says might repeat the key. */
  const describe = (code: number, reason: Buffer): string =>
    `${code} ${reason.toString().replaceAll(key.reveal(), "[hidden]")}`.trim();

  return {
    get isOpen() {
      return ws.readyState === WebSocket.OPEN;
    },
    get bytesRead() {
      return connection?.bytesRead ?? 0;
    },
    send(text) {
      if (ws.readyState === WebSocket.OPEN) ws.send(text, () => {});
    },
    pause: () => ws.pause(),
    resume: () => ws.resume(),
    close() {
      ws.close(1000, "Client initiated close");
      const goodbye = setTimeout(() => ws.terminate(), goodbyeMs);
      ws.once("close", () => clearTimeout(goodbye));
    },
    terminate: () => ws.terminate(),
  };
}
