import { isPosthouseError } from "@posthouse/protocol";
import { commandErrors } from "./errors.ts";

/** A caller of the Manager's API, as anybody could write one. */
export interface ManagerApi {
  readonly url: string;
  /** JSON in, JSON out; undefined for 404. Throws MANAGER_NOT_REACHED or MANAGER_REFUSED. */
  get<T>(path: string): Promise<T | undefined>;
  send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T>;
  /** Sends a stream with the given headers. */
  upload<T>(path: string, body: ReadableStream<Uint8Array>, headers: Record<string, string>): Promise<T>;
}

const requestDeadlineMs = 30_000;
const uploadDeadlineMs = 30 * 60_000;

/** `url` without a trailing slash is the Manager's origin; paths are below `/api/v1`. */
export function createManagerApi(url: string, token: string): ManagerApi {
  const origin = url.replace(/\/+$/, "");
  const call = async (what: string, path: string, init: RequestInit): Promise<Response> => {
    try {
      return await fetch(`${origin}/api/v1${path}`, {
        signal: AbortSignal.timeout(requestDeadlineMs),
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers },
      });
    } catch (error) {
      throw commandErrors.create(
        "MANAGER_NOT_REACHED",
        { url: origin, what, reason: reasonOf(error) },
        { cause: error },
      );
    }
  };
  return {
    url: origin,
    async get<T>(path: string) {
      const response = await call(path, path, { method: "GET" });
      if (response.status === 404) {
        await response.body?.cancel();
        return undefined;
      }
      return read<T>(`GET ${path}`, response);
    },
    async send<T>(method: string, path: string, body?: unknown) {
      const init: RequestInit =
        body === undefined
          ? { method }
          : { method, body: JSON.stringify(body), headers: { "content-type": "application/json" } };
      return read<T>(`${method} ${path}`, await call(path, path, init));
    },
    async upload<T>(path: string, body: ReadableStream<Uint8Array>, headers: Record<string, string>) {
      const init = {
        method: "POST",
        body,
        headers,
        duplex: "half",
        signal: AbortSignal.timeout(uploadDeadlineMs),
      };
      return read<T>(`POST ${path}`, await call(path, path, init as RequestInit));
    },
  };
}

async function read<T>(what: string, response: Response): Promise<T> {
  const text = await response.text();
  if (response.ok) return (text === "" ? undefined : JSON.parse(text)) as T;
  throw commandErrors.create("MANAGER_REFUSED", { what, reason: explain(response.status, text) });
}

function explain(status: number, text: string): string {
  try {
    const { code, message, hint } = JSON.parse(text) as { code?: string; message?: string; hint?: string };
    if (message !== undefined)
      return `${message}${code === undefined ? "" : ` [${code}]`}${hint === undefined ? "" : ` (${hint})`}`;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (status === 401) return "the token is unknown or expired";
  if (status === 403) return "the token may not do this";
  return `status ${status}`;
}

/** The innermost message of a failed fetch: "fetch failed" alone helps nobody. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof AggregateError && error.cause.errors[0] instanceof Error)
    return error.cause.errors[0].message;
  return isPosthouseError(error) || error.cause === undefined ? error.message : reasonOf(error.cause);
}
