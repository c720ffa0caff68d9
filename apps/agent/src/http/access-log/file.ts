/**
 * Where the lines of an access log go. They are written in batches beside the requests; when the disk cannot keep up,
 * lines are dropped and counted instead of held without end. A file that was moved or removed is made anew within a
 * second, and at once on SIGUSR1.
 */
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log, Part } from "@posthouse/service";
import { atPlace } from "../../config/places.ts";
import { agentErrors } from "../../core/errors.ts";
import type { Tally } from "../../core/metrics.ts";

export interface AccessLogFile extends Part {
  readonly path: string;
  /** How many requests run whose lines are still to come: `stop` waits for them. */
  awaited: number;
  /** Takes a line without its end. */
  write(line: string): void;
}

export interface AccessLogCounters {
  readonly lines: Tally;
  readonly dropped: Tally;
}

export interface AccessLogFileOptions {
  /** A file, or `stdout`. */
  readonly path: string;
  /** Where the configuration names it. */
  readonly place: string;
  readonly counters: AccessLogCounters;
  readonly log: Log;
}

const everyMs = 200;
const batchCharacters = 64 * 1024;
const maxQueuedCharacters = 4 * 1024 * 1024;
const checkEveryMs = 1000;
const waitMs = 100;

export function createAccessLogFile({ path, place, counters, log }: AccessLogFileOptions): AccessLogFile {
  const target = path === "stdout" ? createStdout() : createFile(path);
  let lines: string[] = [];
  let queued = 0;
  let writing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isFailing = false;
  let mustReopen = false;
  let stopBy = Number.POSITIVE_INFINITY;

  async function writeAll(): Promise<void> {
    do {
      const batch = lines;
      const characters = queued;
      lines = [];
      try {
        const reopen = mustReopen;
        mustReopen = false;
        await target.refresh(reopen);
        if (batch.length > 0) await target.append(`${batch.join("\n")}\n`);
        counters.lines.value += batch.length;
        isFailing = false;
      } catch (error) {
        counters.dropped.value += batch.length;
        if (!isFailing) log.error({ error, file: path }, "the access log cannot be written; lines are lost");
        isFailing = true;
      }
      queued -= characters;
    } while (lines.length > 0 || mustReopen);
  }

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    writing ??= writeAll().finally(() => {
      writing = undefined;
    });
  }

  function onSignal(): void {
    mustReopen = true;
    flush();
  }

  const file: AccessLogFile = {
    name: `access log ${path}`,
    path,
    awaited: 0,
    write(line) {
      if (queued + line.length > maxQueuedCharacters) {
        counters.dropped.value++;
        return;
      }
      lines.push(line);
      queued += line.length + 1;
      if (queued >= batchCharacters) flush();
      else timer ??= setTimeout(flush, everyMs).unref();
    },
    async start() {
      stopBy = Number.POSITIVE_INFINITY;
      await atPlace(place, () => target.open());
      process.on("SIGUSR1", onSignal);
    },
    async stop(deadlineMs) {
      stopBy = Math.min(stopBy, performance.now() + deadlineMs);
      while (file.awaited > 0 && performance.now() < stopBy) await sleep(waitMs);
      process.off("SIGUSR1", onSignal);
      flush();
      await writing;
      await target.close();
    },
  };
  return file;
}

interface Target {
  open(): Promise<void>;
  /** Opens the file again when it is no longer the one of this name, or when `force` says so. */
  refresh(force: boolean): Promise<void>;
  append(text: string): Promise<void>;
  close(): Promise<void>;
}

function createFile(path: string): Target {
  let handle: FileHandle | undefined;
  let checkedAt = 0;

  async function wasMoved(opened: FileHandle): Promise<boolean> {
    const now = performance.now();
    if (now - checkedAt < checkEveryMs) return false;
    checkedAt = now;
    const [there, ours] = await Promise.all([stat(path).catch(() => undefined), opened.stat()]);
    return there?.ino !== ours.ino || there.dev !== ours.dev;
  }

  return {
    async open() {
      try {
        handle ??= await open(path, "a", 0o640);
      } catch (cause) {
        throw agentErrors.create("ACCESS_LOG_NOT_WRITABLE", { file: path, reason: String(cause) }, { cause });
      }
    },
    async refresh(force) {
      if (handle === undefined || !(force || (await wasMoved(handle)))) return;
      const old = handle;
      handle = await open(path, "a", 0o640);
      await old.close();
    },
    async append(text) {
      if (handle === undefined) throw new Error("the access log was closed");
      await handle.appendFile(text);
    },
    async close() {
      const old = handle;
      handle = undefined;
      await old?.close();
    },
  };
}

function createStdout(): Target {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    open: nothing,
    refresh: nothing,
    close: nothing,
    append: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
      }),
  };
}
