import type { PosthouseError } from "@posthouse/protocol";
import type {
  ClientEvent,
  ClientFailure,
  ClientOperation,
  ClientStatus,
  LoadedHow,
} from "./client-options.ts";
import { problemsOf, type Snapshot } from "./snapshot.ts";

/** What is served now, and what is known of it. Swapped by one assignment. */
export interface Served {
  readonly snapshot: Snapshot | undefined;
  /** How long the snapshot took to load. */
  readonly loadMs: number;
  readonly status: ClientStatus;
  /** Resolves when there is a snapshot. */
  readonly first: Promise<void>;
  swap(snapshot: Snapshot, how: LoadedHow, durationMs: number): void;
  confirmed(): void;
  connected(isConnected: boolean): void;
  failed(operation: ClientOperation, error: PosthouseError, retryInMs?: number): void;
  /** Forgets the failure of an operation that works again. */
  recovered(operation: ClientOperation): void;
  isFailing(operation: ClientOperation): boolean;
  started(): void;
}

export function createServed(emit: (event: ClientEvent) => void): Served {
  let snapshot: Snapshot | undefined;
  let loadMs = 0;
  let loadedFrom: "disk" | "manager" | undefined;
  let loadedAt: Date | undefined;
  let checkedAt: Date | undefined;
  let isConnected = false;
  let problems = 0;
  let startedAt: Date | undefined;
  const failures = new Map<ClientOperation, ClientFailure>();
  const first = Promise.withResolvers<void>();

  return {
    get snapshot() {
      return snapshot;
    },
    get loadMs() {
      return loadMs;
    },
    get status() {
      return {
        version: snapshot?.version ?? 0,
        hash: snapshot?.hashes.root,
        loadedFrom,
        loadedAt,
        checkedAt,
        connected: isConnected,
        startedAt,
        failures: [...failures.values()],
        lastError: [...failures.values()].at(-1),
        problems,
        redirects: snapshot?.ruleSet.redirects ?? 0,
        pages: snapshot?.ruleSet.pages ?? 0,
      };
    },
    first: first.promise,
    swap(next, how, durationMs) {
      const previousVersion = snapshot?.version ?? 0;
      const found = problemsOf(next);
      snapshot = next;
      loadMs = durationMs;
      problems = found.length;
      loadedFrom = how === "disk" ? "disk" : "manager";
      loadedAt = new Date();
      first.resolve();
      emit({
        type: "loaded",
        version: next.version,
        hash: next.hashes.root,
        previousVersion,
        how,
        redirects: next.ruleSet.redirects,
        pages: next.ruleSet.pages,
        problems: found,
        durationMs,
      });
    },
    confirmed() {
      checkedAt = new Date();
    },
    connected(value) {
      if (value === isConnected) return;
      isConnected = value;
      emit({ type: value ? "connected" : "disconnected" });
    },
    failed(operation, error, retryInMs) {
      const at = new Date();
      const since = failures.get(operation)?.since ?? at;
      failures.delete(operation);
      failures.set(operation, { operation, code: error.code, message: error.message, since, at });
      emit({ type: "failed", operation, error, ...(retryInMs === undefined ? {} : { retryInMs }) });
    },
    recovered(operation) {
      if (failures.delete(operation)) emit({ type: "recovered", operation });
    },
    isFailing: (operation) => failures.has(operation),
    started() {
      startedAt = new Date();
    },
  };
}
