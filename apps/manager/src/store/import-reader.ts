/** Reads imported texts in a thread of their own, so that no pattern, however costly to check, delays a request. */
import { Worker } from "node:worker_threads";
import { PosthouseError } from "@posthouse/protocol";
import { workerUrl } from "../database/sqlite-thread.ts";
import { errors } from "../errors.ts";
import type { ImportError, ImportWarning } from "./import-result.ts";

/** What a text said, apart from its good rows. */
export interface ImportSummary {
  readonly totalLines: number;
  /** Exact; the two lists hold the first of them. */
  readonly errorCount: number;
  readonly rowErrors: readonly ImportError[];
  /** Rows that no agent could serve, found when each `rowsPerChunk` readable rows are checked. */
  readonly invalidRows: readonly ImportError[];
  /** The line at which each chunk of readable rows begins. */
  readonly chunkStarts: readonly number[];
  readonly warningCount: number;
  readonly warnings: readonly ImportWarning[];
}

/**
 * One text. Good rows come as JSON, `[[line, type, source, target, status, id, hash], …]`, when enough are there: `id`
 * is the item's if all good rows become new items, and `hash` (hexadecimal) the hash that it has then.
 */
export interface ImportReading {
  push(bytes: Uint8Array): Promise<string | undefined>;
  end(): Promise<{ readonly rows: string | undefined; readonly summary: ImportSummary }>;
  close(): void;
}

export interface ImportReader {
  /** `firstId` is the id that the first good row is to get. */
  open(firstId: number): ImportReading;
  close(): Promise<void>;
}

export interface ReaderQuestion {
  readonly id: number;
  readonly reading: number;
  readonly firstId: number;
  readonly ask: Uint8Array | "end" | "close";
}

export interface ReaderAnswer {
  readonly id: number;
  readonly rows?: string | undefined;
  readonly summary?: ImportSummary | undefined;
  readonly failure?: { readonly code?: string; readonly message: string; readonly hint?: string };
}

const heapMegabytes = 2_048;

/** The thread is started by the first text and kept. */
export function createImportReader(): ImportReader {
  let thread: ReaderThread | undefined;
  let nextReading = 1;
  return {
    open(firstId) {
      if (thread === undefined || thread.isGone()) thread = startThread();
      const { send } = thread;
      const reading = nextReading++;
      const ask = (question: ReaderQuestion["ask"]): Promise<ReaderAnswer> =>
        send({ reading, firstId, ask: question });
      return {
        push: async (bytes) => (await ask(bytes)).rows,
        async end() {
          const { rows, summary } = await ask("end");
          if (summary === undefined) throw errors.create("INTERNAL");
          return { rows, summary };
        },
        close() {
          ask("close").catch(() => {}); // a thread that is gone has forgotten it
        },
      };
    },
    async close() {
      await thread?.close();
    },
  };
}

interface ReaderThread {
  send(question: Omit<ReaderQuestion, "id">): Promise<ReaderAnswer>;
  isGone(): boolean;
  close(): Promise<void>;
}

function startThread(): ReaderThread {
  const worker = new Worker(workerUrl("import-worker", import.meta.url), {
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  worker.unref();
  const waiting = new Map<number, { resolve(answer: ReaderAnswer): void; reject(error: unknown): void }>();
  let next = 1;
  let gone: Error | undefined;
  const end = (error: Error): void => {
    gone ??= error;
    for (const { reject } of waiting.values()) reject(gone);
    waiting.clear();
  };
  worker.on("message", (answer: ReaderAnswer) => {
    const { resolve, reject } = waiting.get(answer.id) ?? {};
    waiting.delete(answer.id);
    if (answer.failure === undefined) resolve?.(answer);
    else reject?.(failureOf(answer.failure));
  });
  worker.on("error", (cause) => end(errors.create("IMPORT_FAILED", { reason: String(cause) }, { cause })));
  worker.on("exit", () => end(errors.create("MANAGER_STOPPING")));
  return {
    send: (question) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(gone);
        const id = next++;
        waiting.set(id, { resolve, reject });
        worker.postMessage({ id, ...question } satisfies ReaderQuestion);
      }),
    isGone: () => gone !== undefined,
    async close() {
      await worker.terminate();
    },
  };
}

function failureOf({ code, message, hint }: NonNullable<ReaderAnswer["failure"]>): Error {
  return code === undefined
    ? errors.create("IMPORT_FAILED", { reason: message })
    : new PosthouseError(code, message, { hint });
}
