/** The agent's copy of FeatBit's environments: one state at a time, who knows its keys, and who hears of changes. */
import type { FlagProblem } from "@posthouse/flags";
import type { Log } from "@posthouse/service";
import { createSlices } from "../../core/slices.ts";
import type { DumpEnvironment, EnvironmentSecret } from "./dump.ts";
import { type CompiledDump, compileDump, createDumpCompiler } from "./dump-compiler.ts";
import {
  type EnvironmentChange,
  emptyState,
  type FlagState,
  type PatchItems,
  patchState,
  replaceState,
  type StateChange,
  secretDigest,
} from "./flag-state.ts";

/** Who says so: `disk` is only as good as it was when it was written, and makes nothing authoritative. */
export type FlagOrigin = "upstream" | "person" | "disk";

export interface FlagStore {
  readonly state: FlagState;
  /** Data was loaded once, from wherever, even if it was of no environment (3.4). */
  readonly isPopulated: boolean;
  /** What it does not know does not exist: upstream said all in this process, or a person did. */
  readonly isAuthoritative: boolean;
  /** Where the whole of it came from last; undefined before. */
  readonly origin: FlagOrigin | undefined;
  /** When it last heard from its source; undefined before. */
  readonly syncedAt: Date | undefined;
  /** Problems of the last whole load, and of patches since, at most 1000. */
  readonly problems: readonly FlagProblem[];
  /** What a key opens. It takes the same time whatever of the key is right. */
  findSecret(value: string): EnvironmentSecret | undefined;
  /** Everything anew, at once: for what is small. */
  replace(dump: readonly DumpEnvironment[], origin: FlagOrigin): readonly FlagProblem[];
  /**
   * Everything anew, piece by piece, compiled in slices beside what is served and swapped in when all is there. Of two
   * at a time the later to end is served. A copy from disk is dropped when upstream was heard meanwhile. Throws what
   * the pieces throw and what the signal is aborted with, and then nothing has changed.
   */
  load(
    dump: AsyncIterable<DumpEnvironment> | Iterable<DumpEnvironment>,
    origin: FlagOrigin,
    signal?: AbortSignal,
  ): Promise<readonly FlagProblem[]>;
  patch(items: readonly PatchItems[]): readonly FlagProblem[];
  /** The source confirmed what is here. */
  confirm(): void;
  /** Calls back after every change, with the state in place. Returns how to stop that. */
  onChange(listener: FlagListener): () => void;
}

export type FlagListener = (changes: readonly EnvironmentChange[], state: FlagState) => void;

export interface FlagStoreOptions {
  readonly log: Log;
  readonly now?: () => Date;
}

const loggedProblems = 20;
const keptProblems = 1000;

export function createFlagStore({ log, now = () => new Date() }: FlagStoreOptions): FlagStore {
  const listeners = new Set<FlagListener>();
  let state = emptyState;
  let secrets: ReadonlyMap<string, EnvironmentSecret> = new Map();
  let isPopulated = false;
  let isAuthoritative = false;
  let origin: FlagOrigin | undefined;
  let syncedAt: Date | undefined;
  let problems: readonly FlagProblem[] = [];

  function take(change: StateChange, isWhole: boolean): readonly FlagProblem[] {
    state = change.state;
    const known = new Set(problems.map(describe));
    const fresh = change.problems.filter((problem) => !known.has(describe(problem)));
    problems = (isWhole ? change.problems : [...problems, ...fresh]).slice(-keptProblems);
    for (const { code, path, message, item } of fresh.slice(0, loggedProblems))
      log.warn({ code, path, item }, message);
    if (fresh.length > loggedProblems)
      log.warn({ problems: fresh.length }, "more problems in what FeatBit sent");
    for (const listener of listeners) listener(change.environments, state);
    return change.problems;
  }

  function commit(dump: CompiledDump, from: FlagOrigin): readonly FlagProblem[] {
    if (from === "disk" && isAuthoritative) return [];
    const change = replaceState(state, dump);
    secrets = new Map(
      [...change.state.environments.values()]
        .flatMap((environment) => environment.secrets)
        .map((secret) => [secretDigest(secret.value.reveal()), secret]),
    );
    isPopulated = true;
    origin = from;
    if (from !== "disk") {
      isAuthoritative = true;
      syncedAt = now();
    }
    return take(change, true);
  }

  return {
    get state() {
      return state;
    },
    get isPopulated() {
      return isPopulated;
    },
    get isAuthoritative() {
      return isAuthoritative;
    },
    get origin() {
      return origin;
    },
    get syncedAt() {
      return syncedAt;
    },
    get problems() {
      return problems;
    },
    findSecret: (value) => secrets.get(secretDigest(value)),
    replace: (dump, from) => commit(compileDump(state.flagSet, dump), from),
    async load(dump, from, signal) {
      const compiler = createDumpCompiler(state.flagSet);
      const slices = createSlices();
      for await (const piece of dump) {
        for (const _ of compiler.add(piece)) {
          if (!slices.isDue()) continue;
          await slices.pause();
          signal?.throwIfAborted();
        }
      }
      signal?.throwIfAborted();
      return commit(compiler.finish(), from);
    },
    patch(items) {
      syncedAt = now();
      return take(patchState(state, items), false);
    },
    confirm() {
      syncedAt = now();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** What tells one problem from another; its place in the document may change. */
const describe = ({ code, item, message }: FlagProblem): string => `${code} ${item ?? ""} ${message}`;
