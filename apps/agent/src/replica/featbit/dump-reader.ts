/** Reads large documents of flags in a thread (`dump-worker.ts`), so that those who are served meanwhile do not wait. */
import { PosthouseError } from "@posthouse/protocol";
import { agentErrors } from "../../core/errors.ts";
import { type ReadingThread, startReadingThread } from "../reading-thread.ts";
import { type DumpEnvironment, hide, ItemText, parseDump, parseJsonDocument } from "./dump.ts";
import type { DumpMessage, DumpTask, SentPiece } from "./dump-worker.ts";

/** A document whose shape was found right. Its thread lives until `pieces` is through, or `close`. */
export interface ReadDump {
  /** SHA-256 of the file, in hex; of a message empty. */
  readonly hash: string;
  pieces(): AsyncGenerator<DumpEnvironment>;
  close(): Promise<void>;
}

const withinMs = 120_000;

/** Parsing this many bytes takes a few milliseconds. */
const smallBytes = 256 * 1024;

/**
 * Reads a document. Undefined: a message that is no full sync, or a file with the hash that is known. Throws
 * FLAGS_DUMP_INVALID, and for files FLAGS_FILE_MISSING and FLAGS_FILE_UNUSABLE; and what the signal is aborted with.
 */
export async function readDump(task: DumpTask, stop?: AbortSignal): Promise<ReadDump | undefined> {
  const timeout = AbortSignal.timeout(withinMs);
  const signal = stop ? AbortSignal.any([stop, timeout]) : timeout;
  signal.throwIfAborted();
  const thread = startThread(task);
  const onAbort = (): void => thread.fail(signal.reason);
  signal.addEventListener("abort", onAbort);
  const close = async (): Promise<void> => {
    signal.removeEventListener("abort", onAbort);
    await thread.end();
  };
  const next = async (): Promise<DumpMessage> => {
    try {
      return await thread.next();
    } catch (error) {
      await close();
      stop?.throwIfAborted();
      throw explain(task, timeout.aborted ? new Error(`not done within ${withinMs / 1000} s`) : error);
    }
  };
  const head = await next();
  if (head.type !== "head") {
    await close();
    return undefined;
  }
  return {
    hash: head.hash,
    async *pieces() {
      try {
        for (;;) {
          const message = await next();
          if (message.type !== "piece") return;
          yield receive(message.piece);
        }
      } finally {
        await close();
      }
    },
    close,
  };
}

/** A bootstrap, on this thread when it is small. Throws FLAGS_DUMP_INVALID. */
export async function readDocument(
  bytes: Uint8Array,
): Promise<readonly DumpEnvironment[] | AsyncIterable<DumpEnvironment>> {
  if (bytes.length <= smallBytes) return parseDump(parseJsonDocument(new TextDecoder().decode(bytes)));
  return (await readDump({ from: "document", bytes }))?.pieces() ?? [];
}

/** A message of upstream when it is small enough to be parsed here; else undefined. Throws FLAGS_DUMP_INVALID. */
export function parseSmallMessage(bytes: Uint8Array): { readonly message: unknown } | undefined {
  if (bytes.length > smallBytes) return undefined;
  return { message: parseJsonDocument(new TextDecoder().decode(bytes)) };
}

function receive({ secrets, featureFlags, segments, ...rest }: SentPiece): DumpEnvironment {
  const wrap = (items: SentPiece["segments"]): ItemText[] => items.map((item) => new ItemText(item));
  return { ...rest, secrets: secrets.map(hide), featureFlags: wrap(featureFlags), segments: wrap(segments) };
}

function explain(task: DumpTask, error: unknown): unknown {
  if (task.from !== "file") return error;
  const reason = error instanceof Error ? error.message : String(error);
  const file = task.path;
  return reason === "ENOENT"
    ? agentErrors.create("FLAGS_FILE_MISSING", { file })
    : agentErrors.create("FLAGS_FILE_UNUSABLE", { file, reason });
}

function startThread(task: DumpTask): ReadingThread<DumpMessage> {
  const transferList = "bytes" in task && isWhole(task.bytes) ? [task.bytes.buffer as ArrayBuffer] : [];
  const thread = startReadingThread<DumpMessage>(workerUrl, task, transferList);
  return {
    ...thread,
    async next() {
      const message = await thread.next();
      if (message.type !== "failed") return message;
      const { code, reason, hint } = message;
      throw code === undefined ? new Error(reason) : new PosthouseError(code, reason, { hint });
    },
  };
}

/** Bytes that share their buffer with others must be copied. */
const isWhole = ({ buffer, byteLength }: Uint8Array): boolean => buffer.byteLength === byteLength;

// `.ts` from source, `.js` when built.
const workerUrl = new URL(`./dump-worker${import.meta.url.slice(-3)}`, import.meta.url);
