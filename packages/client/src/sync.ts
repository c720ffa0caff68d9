import type { PosthouseError, VersionEvent } from "@posthouse/protocol";
import type { RuleSetOptions } from "@posthouse/rules";
import { readChanges } from "./changes-reader.ts";
import type { ClientEvent, LoadedHow, ManagerOptions } from "./client-options.ts";
import { coded, errors, reasonOf } from "./errors.ts";
import { walkFlecto } from "./flecto-walk.ts";
import type { ManagerApi, VersionAnswer } from "./manager-api.ts";
import type { Reporter } from "./reporter.ts";
import type { Served } from "./served.ts";
import type { Snapshot } from "./snapshot.ts";
import { readSnapshot } from "./snapshot-reader.ts";

/** One check: asks for the version, loads whatever differs from what is served, and reports what was really loaded. */
export interface Sync {
  /** Throws a coded error; what is served stays. */
  check(): Promise<VersionAnswer>;
  /** A version that the Manager announced. Tells whether it is worth a check. */
  announce(event: VersionEvent): boolean;
}

export interface SyncOptions {
  readonly manager: ManagerOptions;
  readonly rules: RuleSetOptions;
  readonly api: ManagerApi;
  readonly served: Served;
  readonly reporter: Reporter;
  readonly signal: AbortSignal;
  readonly emit: (event: ClientEvent) => void;
  readonly onSwap: (snapshot: Snapshot) => void;
}

export function createSync({
  manager,
  rules,
  api,
  served,
  reporter,
  signal,
  emit,
  onSwap,
}: SyncOptions): Sync {
  const read = { namespace: manager.namespace, project: manager.project, rules, signal };
  let announced: VersionEvent | undefined;

  const isServed = (version: number, hash: string | undefined) =>
    served.snapshot?.version === version && (hash === undefined || hash === served.snapshot.hashes.root);

  const loadChanges = async (base: Snapshot): Promise<Snapshot | undefined> => {
    try {
      const body = await api.changes(base.version);
      const next = body && (await readChanges(base, body, { ...read, what: "difference" }));
      return next;
    } catch (error) {
      signal.throwIfAborted();
      served.failed("changes", toCoded(error), 0);
      return undefined;
    }
  };

  const load = async ({ version, sync }: VersionAnswer): Promise<{ next: Snapshot; how: LoadedHow }> => {
    const base = served.snapshot;
    if (!sync) return { next: await walkFlecto(api, version, rules, signal), how: "pages" };
    if (base !== undefined && version > base.version) {
      const next = await loadChanges(base);
      if (next !== undefined) return { next, how: "changes" };
    }
    const body = await api.snapshot(base?.hashes.root);
    if (body !== undefined)
      return { next: await readSnapshot(body, { ...read, what: "snapshot" }), how: "snapshot" };
    if (base === undefined)
      throw errors.create("SNAPSHOT_DAMAGED", { what: "snapshot", reason: "it was not sent" });
    return { next: { ...base, version }, how: "same" };
  };

  const report = async (work: Promise<void>) => {
    try {
      await work;
      served.recovered("report");
    } catch (error) {
      if (!signal.aborted) served.failed("report", toCoded(error));
    }
  };

  return {
    announce(event) {
      announced = event;
      return !isServed(event.version, event.hash);
    },
    async check() {
      const answer = await api.version();
      const hash = answer.hash ?? (announced?.version === answer.version ? announced.hash : undefined);
      if (served.snapshot !== undefined && isServed(answer.version, hash)) {
        served.confirmed();
        emit({ type: "unchanged", version: answer.version });
        await report(reporter.served(served.snapshot, served.loadMs));
        return answer;
      }
      const previous = served.snapshot?.version ?? 0;
      if (answer.version < previous)
        emit({ type: "older", version: answer.version, loadedVersion: previous });
      const started = performance.now();
      const { next, how } = await load(answer).catch(async (error: unknown) => {
        signal.throwIfAborted();
        const failure = toCoded(error);
        await report(reporter.failed(answer.version, served.snapshot, performance.now() - started, failure));
        throw failure;
      });
      announced = undefined;
      served.swap(next, how, performance.now() - started);
      served.confirmed();
      onSwap(next);
      await report(reporter.served(next, served.loadMs));
      return answer;
    },
  };
}

function toCoded(error: unknown): PosthouseError {
  return coded(error, (cause) =>
    errors.create("SNAPSHOT_DAMAGED", { what: "snapshot", reason: reasonOf(cause) }, { cause }),
  );
}
