import { Pool } from "undici";
import { Histogram } from "../../core/histogram.ts";
import { parseRetryAfter } from "./retry-after.ts";

export interface HttpTargetOptions {
  /** With a name and a password in it, they are sent as basic authentication. */
  readonly url: URL;
  /** At most so many requests are under way at a time. */
  readonly connections: number;
  /** From request to the end of the answer. Default 120 s: Leek's API calls others within a request. */
  readonly requestTimeoutMs?: number | undefined;
  /** Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
}

export interface HttpReply {
  readonly kind: "reply";
  readonly status: number;
  /** The first 64 KiB. */
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

export interface HttpFailure {
  readonly kind: "failure";
  readonly reason: string;
  /** The connection ended after the request had begun, without an answer. */
  readonly isCutOff: boolean;
}

export interface HttpRequest {
  readonly method: "GET" | "OPTIONS" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
}

/** One address to which requests go, over connections that are kept. */
export interface HttpTarget {
  /** Never rejects. Redirects are not followed. */
  request(request: HttpRequest, signal: AbortSignal): Promise<HttpReply | HttpFailure>;
  readonly statuses: ReadonlyMap<string, number>;
  readonly latency: Histogram;
  close(): Promise<void>;
}

const longestReply = 64 * 1024;
const latencyBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export function createHttpTarget(options: HttpTargetOptions): HttpTarget {
  const { url, connections, requestTimeoutMs = 120_000, connectTimeoutMs = 10_000 } = options;
  const path = url.pathname + url.search;
  const credentials = basicCredentials(url);
  const statuses = new Map<string, number>();
  const latency = new Histogram(latencyBounds);
  const pool = new Pool(url.origin, {
    connections,
    pipelining: 1,
    // Unless the server says otherwise. Between batches there may be many seconds.
    keepAliveTimeout: 30_000,
    connect: { timeout: connectTimeoutMs },
    // One deadline counts, that of the whole request.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  function count(what: string): void {
    statuses.set(what, (statuses.get(what) ?? 0) + 1);
  }

  async function request(
    { method, headers, body }: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpReply | HttpFailure> {
    const started = performance.now();
    const ending = new AbortController();
    const abort = (): void => ending.abort(signal.reason);
    const timer = setTimeout(() => ending.abort(new TimedOut()), requestTimeoutMs);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    try {
      const { signal } = ending;
      const response = await pool.request({
        method,
        path,
        headers: { ...headers, ...credentials },
        body: body ?? null,
        signal,
      });
      const text = await readText(response.body);
      latency.observe((performance.now() - started) / 1000);
      count(String(response.statusCode));
      const retryAfterMs = parseRetryAfter(response.headers["retry-after"], Date.now());
      return { kind: "reply", status: response.statusCode, text, retryAfterMs };
    } catch (error) {
      const isTimeout = ending.signal.reason instanceof TimedOut;
      count(isTimeout ? "timeout" : signal.aborted ? "aborted" : "error");
      if (isTimeout) return failure(`no answer within ${requestTimeoutMs / 1000} s`, false);
      const code = codeOf(error);
      const detail = error instanceof Error && error.message !== "" ? error.message : "unknown";
      return failure(
        code === undefined || detail.includes(code) ? detail : `${code}: ${detail}`,
        isCutOff(code),
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }

  return { request, statuses, latency, close: () => pool.destroy() };
}

function basicCredentials({ username, password }: URL): Readonly<Record<string, string>> {
  if (username === "" && password === "") return {};
  const both = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(both).toString("base64")}` };
}

class TimedOut extends Error {}

function failure(reason: string, isCutOff: boolean): HttpFailure {
  return { kind: "failure", reason, isCutOff };
}

async function readText(body: AsyncIterable<unknown>): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of body) {
    const bytes = Buffer.from(part as Uint8Array);
    parts.push(bytes);
    length += bytes.length;
    if (length > longestReply) break;
  }
  return Buffer.concat(parts).toString("utf8", 0, longestReply);
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}

function isCutOff(code: string | undefined): boolean {
  return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
}
