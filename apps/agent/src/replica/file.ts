/** Rules from a watched file. Whatever happens to the file, what was loaded is served on. */
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import type { Log } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import { createCutOff } from "./cut-off.ts";
import { logProblems } from "./problems.ts";
import { type Replica, type ReplicaOptions, type ReplicaStatus, replicaKey, ruleOptions } from "./replica.ts";
import { type LoadedRuleFile, loadRuleFile } from "./rule-file.ts";
import { createWatchedFile } from "./watched-file.ts";

/** The file could not be read, since and until when. */
interface FileFailure {
  readonly operation: "read";
  readonly code: string;
  readonly message: string;
  readonly since: Date;
  readonly at: Date;
}

/** What is served of a file, and what is known of it. */
class FileState {
  loaded: LoadedRuleFile | undefined;
  version = 0;
  loadedAt: Date | undefined;
  checkedAt: Date | undefined;
  startedAt: Date | undefined;
  lastError: FileFailure | undefined;
  readonly first: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  readonly #path: string;
  readonly #log: Log;

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
  }

  get status(): ReplicaStatus & { readonly failures: readonly FileFailure[] } {
    const { loaded, version, startedAt, loadedAt, checkedAt, lastError } = this;
    const status = {
      version,
      hash: loaded?.hash,
      loadedFrom: loaded && ("file" as const),
      startedAt,
      loadedAt,
      checkedAt,
      failures: lastError ? [lastError] : [],
      lastError,
      problems: loaded?.problemCount ?? 0,
      redirects: loaded?.ruleSet.redirects ?? 0,
      pages: loaded?.ruleSet.pages ?? 0,
    };
    return status;
  }

  swap(loaded: LoadedRuleFile, durationMs: number): void {
    this.loaded = loaded;
    this.version += 1;
    this.loadedAt = new Date();
    this.first.resolve();
    const { redirects, pages } = loaded.ruleSet;
    this.#log.info(
      {
        file: this.#path,
        hash: loaded.hash.slice(0, 12),
        redirects,
        pages,
        durationMs: Math.round(durationMs),
      },
      "rules loaded",
    );
    logProblems(this.#log, loaded.problems, loaded.problemCount);
  }

  /** The file is as it was loaded. */
  confirmed(): void {
    this.checkedAt = new Date();
    if (this.lastError) this.#log.info({ file: this.#path }, "the rule file is usable again");
    this.lastError = undefined;
  }

  failed(error: PosthouseError): void {
    const isNew = this.lastError?.message !== error.message;
    const at = new Date();
    const since = this.lastError?.since ?? at;
    this.lastError = { operation: "read", code: error.code, message: error.message, since, at };
    const text = this.loaded ? "the rules loaded before are served on" : "no rules to serve yet";
    if (isNew) this.#log.warn({ error }, text);
  }
}

export interface FileReplicaOptions extends ReplicaOptions {
  readonly pollMs?: number;
}

/** Makes the replica of one file. `start` resolves when the file was read for the first time, or could not be. */
export function createFileReplica(options: FileReplicaOptions): Replica {
  const { project, config, pollMs } = options;
  const path = config.file;
  if (path === undefined) throw new TypeError(`projects.${project} has no file`);
  const log = options.log.child({ project });
  const state = new FileState(path, log);
  const cutOff = createCutOff();
  const missing = (): PosthouseError => agentErrors.create("RULE_FILE_MISSING", { file: path });

  async function load(signal: AbortSignal): Promise<void> {
    const began = performance.now();
    try {
      const knownHash = state.loaded?.hash;
      const loaded = await loadRuleFile(path ?? "", { rules: ruleOptions(config), signal, knownHash });
      if (loaded) {
        state.swap(loaded, performance.now() - began);
        cutOff.turnTo(loaded.ruleSet);
      }
      state.confirmed();
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      state.failed(
        isPosthouseError(error)
          ? error
          : agentErrors.create("RULE_FILE_UNUSABLE", { file: path ?? "", reason }, { cause: error }),
      );
    }
  }

  const watched = createWatchedFile({
    path,
    log,
    pollMs,
    load,
    failedAt: () => state.lastError?.at,
    onMissing: () => state.failed(missing()),
    onSame: () => state.confirmed(),
  });

  return {
    name: `replica ${project}`,
    project,
    config,
    key: replicaKey(options),
    get ruleSet() {
      return state.loaded?.ruleSet;
    },
    get status() {
      return state.status;
    },
    get problems() {
      return state.loaded?.problems ?? [];
    },
    get cutOff() {
      return cutOff.total;
    },
    ready: () => state.first.promise,
    async start() {
      state.startedAt ??= new Date();
      await watched.start();
    },
    stop: watched.stop,
  };
}
