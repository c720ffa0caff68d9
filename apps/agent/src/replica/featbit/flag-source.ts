/**
 * Where the flags come from: the copy on disk first, then FeatBit, people or a file, as the mode says. The one entrance
 * of this folder for the composition root.
 */
import type { FlagProblem } from "@posthouse/flags";
import { type Log, type Part, startParts, stopParts } from "@posthouse/service";
import { type FlagSourceConfig, flagSourceShape } from "../../config/flag-source.ts";
import { servedEnvironments } from "./flag-state.ts";
import type { FlagOrigin, FlagStore } from "./flag-store.ts";
import { createOfflineFile, type OfflineFile, type OfflineFileStatus } from "./offline-file.ts";
import {
  createSnapshotFile,
  flagSnapshotPath,
  type SnapshotFile,
  type SnapshotFileStatus,
} from "./snapshot-file.ts";
import {
  createUpstream,
  type RelayStatus,
  type SyncState,
  type Upstream,
  type UpstreamStatus,
  type UpstreamTiming,
  upstreamTiming,
} from "./upstream.ts";
import { readUpstreamAddress } from "./upstream-address.ts";

export interface FlagSource extends Part {
  readonly config: FlagSourceConfig;
  /** Equal for two sources that would do the same. Never logged: it holds the secrets. */
  readonly key: string;
  readonly store: FlagStore;
  readonly status: FlagSourceStatus;
  /** What FeatBit's portal is told (1.5). */
  relayStatus(): RelayStatus;
}

export interface FlagSourceStatus {
  readonly mode: FlagSourceConfig["mode"];
  readonly startedAt: Date | undefined;
  readonly syncState: SyncState;
  readonly isPopulated: boolean;
  readonly isAuthoritative: boolean;
  /** Why what is served may not be the newest; undefined: nothing says so. */
  readonly degraded: string | undefined;
  readonly origin: FlagOrigin | undefined;
  /** When the source last said something, or was found unchanged; undefined: never in this process. */
  readonly syncedAt: Date | undefined;
  readonly dataVersion: number;
  readonly environments: readonly EnvironmentStatus[];
  readonly problems: readonly FlagProblem[];
  readonly snapshot: SnapshotFileStatus;
  readonly upstream: UpstreamStatus | undefined;
  readonly file: OfflineFileStatus | undefined;
}

export interface EnvironmentStatus {
  readonly envId: string;
  /** `project:environment`; the id where no key tells it. */
  readonly name: string;
  /** When its newest item changed, in ms. */
  readonly version: number;
  readonly flags: number;
  readonly segments: number;
  readonly secrets: number;
}

export interface FlagSourceOptions {
  readonly config: FlagSourceConfig;
  /** The instance's name: who it is to FeatBit, unless `agent_id` says otherwise. */
  readonly agentName: string;
  /** The state directory. */
  readonly state: string;
  readonly store: FlagStore;
  readonly log: Log;
  /** For tests. */
  readonly timing?: Partial<UpstreamTiming> & {
    readonly debounceMs?: number;
    readonly retryMs?: number;
    readonly pollMs?: number;
  };
}

export function createFlagSource(options: FlagSourceOptions): FlagSource {
  const { config, store, timing = {} } = options;
  const { mode } = config;
  const log = options.log.child({ job: "flags" });
  let startedAt: Date | undefined;

  const snapshot: SnapshotFile = createSnapshotFile({
    store,
    path: flagSnapshotPath(options.state, config.streaming_uri),
    mode,
    log,
    debounceMs: timing.debounceMs,
    retryMs: timing.retryMs,
    pollMs: timing.pollMs,
  });
  const upstream: Upstream | undefined = mode === "auto" ? makeUpstream() : undefined;
  const file: OfflineFile | undefined = mode === "offline" ? makeFile() : undefined;
  const parts: readonly Part[] = [snapshot, upstream, file].filter((part) => part !== undefined);

  function makeUpstream(): Upstream {
    const { streaming_uri, api_key, agent_id = options.agentName } = config;
    if (streaming_uri === undefined || api_key === undefined)
      throw new TypeError("mode auto wants flags.streaming_uri and flags.api_key");
    return createUpstream({
      upstream: readUpstreamAddress(streaming_uri, api_key),
      agentId: agent_id,
      store,
      maxPayload: config.message_size,
      log,
      timing: {
        ...upstreamTiming,
        pingMs: config.ping_every,
        fullSyncMs: config.full_sync_every,
        ...timing,
      },
      relayStatus,
    });
  }

  function makeFile(): OfflineFile {
    if (config.file === undefined) throw new TypeError("mode offline wants flags.file");
    const { file: path, secrets, message_size: maxBytes } = config;
    return createOfflineFile({ store, path, secrets, maxBytes, log, pollMs: timing.pollMs });
  }

  const syncState = (): SyncState => upstream?.syncState ?? "None";

  function degraded(): string | undefined {
    if (upstream !== undefined && upstream.syncState !== "Stable")
      return `not in step with FeatBit: ${upstream.syncState}`;
    if (file === undefined) return undefined;
    const { lastError, path } = file.status;
    if (lastError !== undefined) return lastError.message;
    return store.isAuthoritative ? undefined : `${path} was not read yet`;
  }

  function relayStatus(): RelayStatus {
    return {
      serves: servedEnvironments(store.state),
      dataVersion: store.state.dataVersion,
      syncState: syncState(),
      lastSyncedAt: mode === "auto" ? (store.syncedAt?.toISOString() ?? null) : null,
      reportedAt: new Date().toISOString(),
    };
  }

  return {
    name: "flag source",
    config,
    key: flagSourceKey(options),
    store,
    get status() {
      const { isPopulated, isAuthoritative, origin, syncedAt, problems, state } = store;
      return {
        mode,
        startedAt,
        syncState: syncState(),
        isPopulated,
        isAuthoritative,
        degraded: degraded(),
        origin,
        syncedAt,
        dataVersion: state.dataVersion,
        environments: describeEnvironments(store),
        problems,
        snapshot: snapshot.status,
        upstream: upstream?.status,
        file: file?.status,
      };
    },
    relayStatus,
    async start() {
      startedAt ??= new Date();
      await startParts(parts, { log });
    },
    stop: (deadlineMs) => stopParts(parts, deadlineMs),
  };
}

function describeEnvironments({ state: { environments, flagSet } }: FlagStore): EnvironmentStatus[] {
  return [...environments].map(([id, { envId, secrets, reading }]) => {
    const items = flagSet.environments.get(id);
    const [first] = secrets;
    return {
      envId,
      name: first === undefined ? envId : `${first.projectKey}:${first.envKey}`,
      version: reading.newest,
      flags: items?.flags.size ?? 0,
      segments: items?.segments.size ?? 0,
      secrets: secrets.length,
    };
  });
}

/** Every setting that is the source's, the secrets included. */
export function flagSourceKey({
  config,
  agentName,
  state,
}: Pick<FlagSourceOptions, "config" | "agentName" | "state">): string {
  const own = Object.keys(flagSourceShape).map((name) => config[name as keyof FlagSourceConfig]);
  return JSON.stringify([agentName, state, own, revealAll(config)]);
}

const revealAll = ({ api_key, secrets }: FlagSourceConfig): unknown => [
  api_key?.reveal(),
  Object.values(secrets).map((keys) => keys.map(({ key }) => key.reveal())),
];
