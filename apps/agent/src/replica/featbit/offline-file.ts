/** Mode `offline`: flags from a watched file. Whatever happens to the file, what was loaded is served on. */
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import { type Log, type Part, Secret } from "@posthouse/service";
import type { FlagSecretConfig } from "../../config/flag-source.ts";
import { agentErrors } from "../../core/errors.ts";
import { createWatchedFile } from "../watched-file.ts";
import type { DumpEnvironment, EnvironmentSecret } from "./dump.ts";
import { readDump } from "./dump-reader.ts";
import type { FlagStore } from "./flag-store.ts";

export interface OfflineFile extends Part {
  readonly status: OfflineFileStatus;
}

export interface OfflineFileStatus {
  readonly path: string;
  /** SHA-256 of the file that is served, in hex. */
  readonly hash: string | undefined;
  readonly loads: number;
  /** Ids of environments that no SDK can reach, since there is no key for them. */
  readonly withoutSecrets: readonly string[];
  readonly lastError: { readonly code: string; readonly message: string; readonly at: Date } | undefined;
}

export interface OfflineFileOptions {
  readonly store: FlagStore;
  readonly path: string;
  /** By environment id. */
  readonly secrets: Readonly<Record<string, readonly FlagSecretConfig[]>>;
  readonly maxBytes: number;
  readonly log: Log;
  readonly pollMs?: number | undefined;
}

const namedEnvironments = 20;

/** `start` resolves when the file was read for the first time, or could not be. */
export function createOfflineFile(options: OfflineFileOptions): OfflineFile {
  const { store, path, maxBytes, log, pollMs } = options;
  const secrets = secretsByEnvironment(options.secrets);
  const status = {
    path,
    hash: undefined as string | undefined,
    loads: 0,
    withoutSecrets: [] as readonly string[],
    lastError: undefined as OfflineFileStatus["lastError"],
  };

  function failed(error: PosthouseError): void {
    const isNew = status.lastError?.message !== error.message;
    status.lastError = { code: error.code, message: error.message, at: new Date() };
    const text = store.isPopulated ? "the flags loaded before are served on" : "no flags to serve yet";
    if (isNew) log.warn({ error }, text);
  }

  function confirmed(): void {
    if (status.lastError !== undefined) log.info({ file: path }, "the flag file is usable again");
    status.lastError = undefined;
    store.confirm();
  }

  async function load(signal: AbortSignal): Promise<void> {
    try {
      const dump = await readDump({ from: "file", path, maxBytes, knownHash: status.hash }, signal);
      if (dump !== undefined) {
        await store.load(withSecrets(dump.pieces(), secrets), "person", signal);
        status.hash = dump.hash;
        status.loads++;
        tellLoaded();
      }
      confirmed();
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error.message : String(error);
      failed(
        isPosthouseError(error)
          ? error
          : agentErrors.create("FLAGS_FILE_UNUSABLE", { file: path, reason }, { cause: error }),
      );
    }
  }

  function tellLoaded(): void {
    const { environments, dataVersion } = store.state;
    log.info({ file: path, environments: environments.size, version: dataVersion }, "flags loaded");
    status.withoutSecrets = [...environments.values()]
      .filter((environment) => environment.secrets.length === 0)
      .map(({ envId }) => envId);
    if (status.withoutSecrets.length > 0)
      log.warn(
        {
          count: status.withoutSecrets.length,
          environments: status.withoutSecrets.slice(0, namedEnvironments),
        },
        "no SDK can reach these environments: neither the file nor `flags.secrets` has a key for them",
      );
    const unused = [...secrets.keys()].filter((id) => !environments.has(id));
    if (unused.length > 0)
      log.warn({ environments: unused }, "`flags.secrets` names environments that the file does not have");
  }

  const watched = createWatchedFile({
    path,
    log,
    pollMs,
    load,
    failedAt: () => status.lastError?.at,
    onMissing: () => failed(agentErrors.create("FLAGS_FILE_MISSING", { file: path })),
    onSame: () => store.confirm(),
  });

  return {
    name: "flag file",
    get status() {
      return status;
    },
    start: watched.start,
    stop: watched.stop,
  };
}

function secretsByEnvironment(
  config: OfflineFileOptions["secrets"],
): ReadonlyMap<string, readonly EnvironmentSecret[]> {
  return new Map(
    Object.entries(config).map(([envId, keys]) => [
      envId.toLowerCase(),
      keys.map(({ key, type, project, env }) => ({
        type,
        envId,
        projectKey: project,
        envKey: env,
        value: new Secret(key.reveal()),
      })),
    ]),
  );
}

/** The first piece of each environment gets the keys that the configuration has for it, but not twice. */
async function* withSecrets(
  pieces: AsyncIterable<DumpEnvironment>,
  secrets: ReadonlyMap<string, readonly EnvironmentSecret[]>,
): AsyncGenerator<DumpEnvironment> {
  const seen = new Set<string>();
  for await (const piece of pieces) {
    const id = piece.envId.toLowerCase();
    const known = new Set(piece.secrets.map(({ value }) => value.reveal()));
    const added = seen.has(id) ? [] : (secrets.get(id) ?? []);
    seen.add(id);
    yield {
      ...piece,
      secrets: [...piece.secrets, ...added.filter(({ value }) => !known.has(value.reveal()))],
    };
  }
}
