import type { PosthouseError } from "@posthouse/protocol";
import type { SnapshotStore } from "./client-options.ts";
import { errors, reasonOf } from "./errors.ts";
import { type Snapshot, snapshotText } from "./snapshot.ts";

/** Writes snapshots to the store, one at a time; of those that wait only the latest is written. Never throws. */
export interface Saver {
  save(snapshot: Snapshot): void;
  /** Tries again what could not be written. */
  retry(): void;
  /** Resolves when nothing is being written or waits. */
  settled(): Promise<void>;
}

export interface SaverOptions {
  readonly store: SnapshotStore;
  readonly namespace: string;
  readonly project: string;
  /** When aborted, a write in progress fails soon and leaves the earlier text. */
  readonly signal: AbortSignal;
  readonly onSaved: (snapshot: Snapshot, durationMs: number) => void;
  readonly onFailed: (error: PosthouseError) => void;
}

export function createSaver({ store, signal, onSaved, onFailed, ...project }: SaverOptions): Saver {
  let waiting: Snapshot | undefined;
  let failed: Snapshot | undefined;
  let writing: Promise<void> | undefined;

  const drain = async () => {
    while (waiting !== undefined && !signal.aborted) {
      const snapshot = waiting;
      waiting = undefined;
      failed = undefined;
      const started = performance.now();
      try {
        await store.write(snapshotText(snapshot, project, signal));
        onSaved(snapshot, performance.now() - started);
      } catch (cause) {
        failed = snapshot;
        onFailed(errors.create("STORE_WRITE_FAILED", { reason: reasonOf(cause) }, { cause }));
      }
    }
    writing = undefined;
  };

  const save = (snapshot: Snapshot) => {
    waiting = snapshot;
    writing ??= drain();
  };
  return {
    save,
    retry() {
      if (failed !== undefined && waiting === undefined) save(failed);
    },
    settled: async () => await writing,
  };
}
