/**
 * The copy of the flags on disk. It is loaded before anything else, written soon after every change, one write at a
 * time and of those that wait only the latest, and never waited for.
 *
 * A copy of another agent that is laid over it while this one runs is picked up when it is valid and newer, and when
 * nobody knows better: not in mode `auto` once FeatBit itself has said all. Newer is what holds a later change of
 * FeatBit's own clock; of two with the same, what was confirmed later. In mode `offline` the file there decides, and
 * this copy is read at the start only.
 */
import { join } from "node:path";
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import type { Log, Part } from "@posthouse/service";
import type { FlagSourceConfig } from "../../config/flag-source.ts";
import { agentErrors } from "../../core/errors.ts";
import { createFileWatch } from "../../core/file-watch.ts";
import { sharedFileStore } from "../shared-store.ts";
import type { FlagState } from "./flag-state.ts";
import type { FlagStore } from "./flag-store.ts";
import { describeSnapshot, readSnapshot, type SnapshotHeader, snapshotText } from "./snapshot-text.ts";

export interface SnapshotFile extends Part {
  readonly status: SnapshotFileStatus;
}

export interface SnapshotFileStatus {
  readonly path: string;
  /** When the copy that this process loaded or wrote last was made; undefined: there is none. */
  readonly savedAt: Date | undefined;
  readonly writes: number;
  readonly writeFailures: number;
  /** Copies that could not be used. */
  readonly damaged: number;
  /** Copies of other agents that were taken over while running. */
  readonly pickedUp: number;
  readonly lastError: { readonly code: string; readonly message: string; readonly at: Date } | undefined;
}

export interface SnapshotFileOptions {
  readonly store: FlagStore;
  readonly path: string;
  readonly mode: FlagSourceConfig["mode"];
  readonly log: Log;
  /** How long a change waits for others. Default 300. */
  readonly debounceMs?: number | undefined;
  /** After a failed write. Default 30000. */
  readonly retryMs?: number | undefined;
  readonly pollMs?: number | undefined;
}

/** A write of a large copy is followed by a pause of nine times its duration. */
const pauseFactor = 9;
const longestPauseMs = 30_000;

/** `<state>/snapshots/<control plane>/flags`: the same on every machine, so that files can be copied. */
export function flagSnapshotPath(state: string, streamingUri: string | undefined): string {
  if (streamingUri === undefined) return join(state, "snapshots", "flags");
  const { host, pathname } = new URL(streamingUri);
  const plane = `${host}${pathname.replace(/\/+$/, "")}`.replace(/[^A-Za-z0-9._-]/g, "_");
  return join(state, "snapshots", plane, "flags");
}

export function createSnapshotFile(options: SnapshotFileOptions): SnapshotFile {
  const { store, path, mode, log, debounceMs = 300, retryMs = 30_000, pollMs } = options;
  const file = sharedFileStore(path);
  const stopping = new AbortController();
  const status = {
    path,
    savedAt: undefined as Date | undefined,
    writes: 0,
    writeFailures: 0,
    damaged: 0,
    pickedUp: 0,
    lastError: undefined as SnapshotFileStatus["lastError"],
  };
  /** The state that the file holds, and its header. */
  let saved: FlagState | undefined;
  let header: SnapshotHeader | undefined;
  /** Being written, perhaps seen by the watch before the write is known to be done. */
  let writingHash: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;
  let reading: Promise<void> | undefined;
  let unsubscribe = (): void => {};
  let lastWriteMs = 0;

  const syncedAt = (): Date | undefined =>
    store.syncedAt ?? (header?.syncedAt == null ? undefined : new Date(header.syncedAt));

  function failed(error: PosthouseError, text: string): void {
    const isNew = status.lastError?.message !== error.message;
    status.lastError = { code: error.code, message: error.message, at: new Date() };
    if (isNew) log.warn({ error }, text);
  }

  async function write(signal?: AbortSignal): Promise<void> {
    const { state } = store;
    const began = performance.now();
    try {
      const next = await describeSnapshot(state, syncedAt());
      writingHash = next.hash;
      await file.write(snapshotText(state, next, signal));
      header = next;
      saved = state;
      status.writes++;
      status.savedAt = new Date();
      if (status.lastError?.code === "FLAGS_SNAPSHOT_NOT_WRITTEN") {
        status.lastError = undefined;
        log.info({ file: path }, "the copy of the flags is written again");
      }
      lastWriteMs = performance.now() - began;
    } catch (cause) {
      status.writeFailures++;
      const reason = reasonOf(cause);
      failed(
        agentErrors.create("FLAGS_SNAPSHOT_NOT_WRITTEN", { file: path, reason }, { cause }),
        "the flags are served, but not kept",
      );
      schedule(retryMs);
    }
  }

  function schedule(delayMs: number): void {
    if (stopping.signal.aborted || timer !== undefined) return;
    timer = setTimeout(() => {
      timer = undefined;
      if (store.state === saved) return;
      writing ??= write().finally(() => {
        writing = undefined;
        if (saved !== store.state) changed();
      });
    }, delayMs);
  }

  function changed(): void {
    if (store.state === saved || writing !== undefined) return;
    schedule(Math.max(debounceMs, Math.min(pauseFactor * lastWriteMs, longestPauseMs)));
  }

  /** Whether the copy says more than what is served. */
  function isNewer(found: SnapshotHeader): boolean {
    if (found.version !== store.state.dataVersion) return found.version > store.state.dataVersion;
    return new Date(found.syncedAt ?? 0) > (syncedAt() ?? new Date(0));
  }

  async function read(isStart: boolean): Promise<void> {
    try {
      const text = await file.read();
      if (text === undefined) return;
      const snapshot = await readSnapshot(text as AsyncIterable<Uint8Array>, path);
      const { hash } = snapshot.header;
      const isOwn = hash === header?.hash || hash === writingHash;
      if (isOwn || !isWanted() || (store.isPopulated && !isNewer(snapshot.header)))
        return await snapshot.close();
      await store.load(snapshot.pieces(), mode === "manual" ? "person" : "disk", stopping.signal);
      header = snapshot.header;
      saved = store.state;
      status.savedAt = new Date(snapshot.header.syncedAt ?? Date.now());
      if (!isStart) status.pickedUp++;
      const { environments, dataVersion } = store.state;
      log.info(
        { file: path, environments: environments.size, version: dataVersion },
        isStart ? "flags loaded from disk" : "the copy of another agent was picked up",
      );
    } catch (cause) {
      if (stopping.signal.aborted) return;
      status.damaged++;
      const error = isPosthouseError(cause)
        ? cause
        : agentErrors.create("FLAGS_SNAPSHOT_DAMAGED", { file: path, reason: reasonOf(cause) }, { cause });
      failed(error, "the copy of the flags is left aside");
    }
  }

  const isWanted = (): boolean => !store.isAuthoritative || mode === "manual";

  const watch = createFileWatch(path, {
    log,
    pollMs,
    onChange() {
      if (isWanted()) reading ??= read(false).finally(() => (reading = undefined));
    },
  });

  return {
    name: "flag snapshot",
    get status() {
      return status;
    },
    async start() {
      if (stopping.signal.aborted) return;
      await read(true);
      unsubscribe = store.onChange(changed);
      // After a reload there may be more than another path has.
      if (store.isPopulated) changed();
      if (mode !== "offline") await watch.start();
    },
    async stop(deadlineMs) {
      if (stopping.signal.aborted) return void (await writing);
      stopping.abort();
      unsubscribe();
      watch.stop();
      const isDue = timer !== undefined && status.lastError?.code !== "FLAGS_SNAPSHOT_NOT_WRITTEN";
      clearTimeout(timer);
      timer = undefined;
      await reading;
      await writing;
      if (isDue && store.state !== saved) {
        writing = write(AbortSignal.timeout(Math.max(1, deadlineMs)));
        await writing;
      }
    },
  };
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? String(error.code) : error.message;
}
