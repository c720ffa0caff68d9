import type { Problem, RuleSet, RuleSetOptions } from "@posthouse/rules";
import { defaultTimeouts, type ManagerOptions, type SnapshotStore } from "./client-options.ts";
import { coded, errors, reasonOf } from "./errors.ts";
import { walkFlecto } from "./flecto-walk.ts";
import { createHttp } from "./http.ts";
import { createManagerApi } from "./manager-api.ts";
import { problemsOf, type Snapshot } from "./snapshot.ts";
import { readSnapshot } from "./snapshot-reader.ts";

/** A project's rules as they were at one moment. */
export interface LoadedRules {
  readonly version: number;
  readonly ruleSet: RuleSet;
  readonly problems: readonly Problem[];
}

export interface LoadOnceOptions {
  readonly rules?: RuleSetOptions;
  readonly signal?: AbortSignal;
}

/** The copy that a client left in its store; undefined when there is none. Throws STORE_READ_FAILED and SNAPSHOT_… errors. */
export async function readStoredRules(
  store: SnapshotStore,
  { namespace, project }: { readonly namespace: string; readonly project: string },
  options: LoadOnceOptions = {},
): Promise<LoadedRules | undefined> {
  const { rules = {}, signal = new AbortController().signal } = options;
  try {
    const body = await store.read();
    if (body === undefined) return undefined;
    return describe(await readSnapshot(body, { what: "copy on disk", namespace, project, rules, signal }));
  } catch (cause) {
    signal.throwIfAborted();
    throw coded(cause, () => errors.create("STORE_READ_FAILED", { reason: reasonOf(cause) }, { cause }));
  }
}

/** Asks a Manager once, as an agent would, without telling it who asks. Throws MANAGER_… and SNAPSHOT_… errors. */
export async function fetchRules(
  manager: ManagerOptions,
  options: LoadOnceOptions = {},
): Promise<LoadedRules> {
  const { rules = {}, signal = new AbortController().signal } = options;
  const { namespace, project, url } = manager;
  const http = createHttp(defaultTimeouts, signal);
  try {
    const api = createManagerApi(http, manager);
    const { version, sync } = await api.version();
    if (!sync) return describe(await walkFlecto(api, version, rules, signal));
    const body = await api.snapshot(undefined);
    if (body === undefined)
      throw errors.create("MANAGER_ANSWER_UNUSABLE", { url, reason: "no snapshot was sent" });
    return describe(await readSnapshot(body, { what: "snapshot", namespace, project, rules, signal }));
  } catch (cause) {
    signal.throwIfAborted();
    throw coded(cause, () =>
      errors.create("MANAGER_UNREACHABLE", { url, reason: reasonOf(cause) }, { cause }),
    );
  } finally {
    http.close();
  }
}

function describe(snapshot: Snapshot): LoadedRules {
  const { version, ruleSet } = snapshot;
  return { version, ruleSet, problems: problemsOf(snapshot) };
}
