import { Worker } from "node:worker_threads";
import { errors } from "../errors.ts";
import { SqliteError, type SqliteFailure } from "./sqlite-error.ts";

export interface SqliteThreadOptions {
  readonly path: string;
  readonly readOnly: boolean;
  /** Statements run once on the new connection. */
  readonly initialise: readonly string[];
  /** Whether it can check rules, which takes a while to load. */
  readonly checksRules?: boolean;
}

export interface SqliteQuestion {
  readonly id: number;
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** As the only parameter, a JSON array of arrays: the statement runs for each of these in turn, all or none. */
export interface ParameterRows {
  readonly rows: string;
}

export interface SqliteResult {
  readonly rows: Record<string, unknown>[];
  readonly changes: number;
}

export type SqliteAnswer = { readonly id: number } & (SqliteResult | { readonly failure: SqliteFailure });

/** One connection in a thread of its own. Statements run in the order of the calls. */
export interface SqliteThread {
  /** `parameters` may be one ParameterRows. @throws SqliteError, or DATABASE_FAILED when the thread is gone. */
  execute(sql: string, parameters: readonly unknown[]): Promise<SqliteResult>;
  /** Waits for what was asked, closes the connection and ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  resolve(result: SqliteResult): void;
  reject(error: unknown): void;
}

/** Opens the connection. @throws SqliteError when that fails */
export async function openSqliteThread(options: SqliteThreadOptions): Promise<SqliteThread> {
  const worker = new Worker(workerUrl("sqlite-worker"), { workerData: options });
  const waiting = new Map<number, Waiting>();
  let next = 0;
  let gone: Error | undefined;

  const ask = (send: (id: number) => void): Promise<SqliteResult> =>
    new Promise((resolve, reject) => {
      if (gone) return reject(gone);
      const id = next++;
      waiting.set(id, { resolve, reject });
      send(id);
    });
  const opened = ask(() => {});
  const exited = new Promise<void>((resolve) => {
    const end = (reason: string, cause?: unknown): void => {
      gone ??= errors.create("DATABASE_FAILED", { reason }, { cause });
      for (const { reject } of waiting.values()) reject(gone);
      waiting.clear();
    };
    worker.on("error", (error) => end(`its thread ended: ${String(error)}`, error));
    worker.on("exit", () => {
      end("it is closed");
      resolve();
    });
  });
  worker.on("message", (answer: SqliteAnswer) => {
    const question = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("failure" in answer) question?.reject(new SqliteError(answer.failure));
    else question?.resolve(answer);
  });

  try {
    await opened;
  } catch (error) {
    await exited;
    throw error;
  }
  return {
    execute: (sql, parameters) =>
      ask((id) => worker.postMessage({ id, sql, parameters } satisfies SqliteQuestion)),
    close() {
      if (!gone) worker.postMessage("close");
      return exited;
    },
  };
}

/** A thread that is being opened: what is asked of it waits. */
export function deferThread(opening: Promise<SqliteThread>): SqliteThread {
  opening.catch(() => {}); // told to whoever asks
  return {
    execute: async (sql, parameters) => (await opening).execute(sql, parameters),
    close: () =>
      opening.then(
        (thread) => thread.close(),
        () => {},
      ),
  };
}

/** Where a worker's file is, in the source and in the built package. */
export function workerUrl(name: string, base: string = import.meta.url): URL {
  return new URL(`./${name}${base.endsWith(".ts") ? ".ts" : ".js"}`, base);
}
