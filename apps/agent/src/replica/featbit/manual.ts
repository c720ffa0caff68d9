/** What a person asks of the agent's copy in mode `manual`, and in the others too (3.2, 3.3, 5). */
import { type DumpEnvironment, parseDump, reveal, type SentSecret } from "./dump.ts";
import { readDocument } from "./dump-reader.ts";
import { type FlagState, servedEnvironments } from "./flag-state.ts";
import type { FlagStore } from "./flag-store.ts";

/** FeatBit's portal stores both on its record of the agent. */
export interface BootstrapAnswer {
  readonly serves: string;
  readonly dataVersion: number;
}

/**
 * Replaces everything with a bootstrap: the body of the request as bytes, which are read in a thread when they are
 * many, or its JSON parsed already. Throws FLAGS_DUMP_INVALID with the path inside the JSON, and nothing has changed.
 */
export async function applyBootstrap(store: FlagStore, body: unknown): Promise<BootstrapAnswer> {
  const dump: AsyncIterable<DumpEnvironment> | Iterable<DumpEnvironment> =
    body instanceof Uint8Array ? await readDocument(body) : parseDump(body);
  await store.load(dump, "person");
  return { serves: servedEnvironments(store.state), dataVersion: store.state.dataVersion };
}

/** `GET …/backup`: what a bootstrap takes. The secrets are in it. */
export interface Backup {
  readonly eventType: "rp_full";
  readonly items: readonly BackupItem[];
}

export interface BackupItem {
  readonly envId: string;
  readonly secrets: readonly SentSecret[];
  readonly featureFlags: readonly unknown[];
  readonly segments: readonly unknown[];
}

/** Every environment that has a key, its items as they came. */
export function createBackup(state: FlagState): Backup {
  const parse = (items: Iterable<{ readonly json: string }> | undefined): unknown[] =>
    [...(items ?? [])].map(({ json }) => JSON.parse(json));
  const items = [...state.environments].flatMap(([id, { envId, secrets }]) => {
    if (secrets.length === 0) return [];
    const environment = state.flagSet.environments.get(id);
    return {
      envId,
      secrets: secrets.map(reveal),
      featureFlags: parse(environment?.flags.values()),
      segments: parse(environment?.segments.values()),
    };
  });
  return { eventType: "rp_full", items };
}
