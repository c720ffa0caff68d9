import http from "node:http";
import https from "node:https";
import { pipeline, type Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { PosthouseError } from "@posthouse/protocol";
import { coded, errors, reasonOf } from "./errors.ts";

/**
 * The only place that talks HTTP. Every wait has a deadline and every body a bound; `close()` leaves no socket.
 * node:http rather than fetch: its pool can be emptied, so that a stopped client holds nothing.
 */
export interface Http {
  /** Resolves with the head of the answer, whatever its status. The body must be read or discarded. */
  request(method: string, url: string, options: RequestOptions): Promise<Answer>;
  close(): void;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Longest silence within the body. */
  readonly idleMs?: number;
  /** Longest time for the whole body; Infinity for a stream without end. */
  readonly totalMs?: number;
  /** Most bytes of the body, unpacked. */
  readonly maxBytes?: number;
}

export interface Answer {
  readonly url: string;
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** The unpacked body. Ending the iteration early closes the connection. */
  readonly body: AsyncIterable<Uint8Array>;
  text(): Promise<string>;
  discard(): void;
}

export interface TimeoutOptions {
  /** To connect and to answer with a status and headers. */
  readonly headersMs: number;
  /** Longest silence within a body. */
  readonly idleMs: number;
  /** Longest time for a whole body. */
  readonly totalMs: number;
}

const smallBytes = 64 * 1024;

export function createHttp(timeouts: TimeoutOptions, signal: AbortSignal): Http {
  const plain = new http.Agent({ keepAlive: true, maxFreeSockets: 1 });
  const secure = new https.Agent({ keepAlive: true, maxFreeSockets: 1 });

  const send = (method: string, url: string, options: RequestOptions, mayRepeat: boolean): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const isSecure = url.startsWith("https:");
      const body = options.body === undefined ? undefined : Buffer.from(options.body);
      const headers = { "accept-encoding": "gzip", ...options.headers, ...lengthOf(method, body) };
      const request = isSecure
        ? https.request(url, { method, headers, agent: secure, signal })
        : http.request(url, { method, headers, agent: plain, signal });
      const deadline = setTimeout(
        () => request.destroy(errors.create("MANAGER_TIMEOUT", { url, ms: timeouts.headersMs })),
        timeouts.headersMs,
      );
      request.on("error", (cause) => {
        clearTimeout(deadline);
        // The other side closed a kept connection just as it was used again: not a failure of the Manager.
        if (mayRepeat && request.reusedSocket && "code" in cause && cause.code === "ECONNRESET") {
          send(method, url, options, false).then(resolve, reject);
        } else {
          reject(
            coded(cause, () =>
              errors.create("MANAGER_UNREACHABLE", { url, reason: reasonOf(cause) }, { cause }),
            ),
          );
        }
      });
      request.on("response", (response) => {
        clearTimeout(deadline);
        resolve(toAnswer(url, response, { ...timeouts, maxBytes: smallBytes, ...options }));
      });
      request.end(body);
    });

  return {
    async request(method, url, options) {
      signal.throwIfAborted();
      return await send(method, url, options, true);
    },
    close() {
      plain.destroy();
      secure.destroy();
    },
  };
}

function lengthOf(method: string, body: Buffer | undefined): Record<string, number> {
  return method === "GET" ? {} : { "content-length": body?.length ?? 0 };
}

function toAnswer(
  url: string,
  response: http.IncomingMessage,
  limits: { idleMs: number; totalMs: number; maxBytes: number },
): Answer {
  // The connection may fail before anybody reads.
  response.on("error", () => {});
  const body = readBody(url, response, limits);
  return {
    url,
    status: response.statusCode ?? 0,
    headers: response.headers,
    body,
    async text() {
      const pieces: Uint8Array[] = [];
      for await (const piece of body) pieces.push(piece);
      return Buffer.concat(pieces).toString("utf8");
    },
    discard: () => response.destroy(),
  };
}

async function* readBody(
  url: string,
  response: http.IncomingMessage,
  { idleMs, totalMs, maxBytes }: { idleMs: number; totalMs: number; maxBytes: number },
): AsyncGenerator<Uint8Array> {
  const source = unpacked(response);
  const failAfter = (ms: number) =>
    setTimeout(() => source.destroy(errors.create("MANAGER_TIMEOUT", { url, ms })), ms);
  const total = Number.isFinite(totalMs) ? failAfter(totalMs) : undefined;
  const iterator: AsyncIterator<Uint8Array> = source[Symbol.asyncIterator]();
  let bytes = 0;
  try {
    for (;;) {
      const idle = failAfter(idleMs);
      const piece = await iterator.next().finally(() => clearTimeout(idle));
      if (piece.done) return;
      bytes += piece.value.length;
      if (bytes > maxBytes) throw errors.create("MANAGER_ANSWER_TOO_LARGE", { url, limit: maxBytes });
      yield piece.value;
    }
  } catch (error) {
    throw coded(error, (cause) => bodyError(url, cause));
  } finally {
    clearTimeout(total);
    source.destroy();
    if (!response.complete) response.destroy();
  }
}

function unpacked(response: http.IncomingMessage): Readable {
  if (response.headers["content-encoding"] !== "gzip") return response;
  // pipeline() passes a failure on in both directions; the reader of the body meets it.
  return pipeline(response, createGunzip(), () => {});
}

function bodyError(url: string, cause: unknown): PosthouseError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  return code === "Z_DATA_ERROR"
    ? errors.create("MANAGER_ANSWER_UNUSABLE", { url, reason: "its compression is damaged" }, { cause })
    : errors.create("MANAGER_ANSWER_CUT", { url }, { cause });
}
