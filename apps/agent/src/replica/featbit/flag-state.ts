/**
 * All that the agent knows of FeatBit's environments at one moment; immutable, so that it is swapped by one assignment
 * and written to disk as it was. The functions make the next state from it, and say what changed for whom.
 */
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import {
  createFlagSet,
  createFlagSetBuilder,
  type Flag,
  type FlagItems,
  type FlagProblem,
  type FlagSet,
  type Segment,
} from "@posthouse/flags";
import type { EnvironmentSecret } from "./dump.ts";
import {
  type CompiledDump,
  type CompiledEnvironment,
  describeItem,
  type ItemKind,
  markOf,
  type Reading,
  readUpTo,
  takeItem,
  type Unread,
  unreadFrom,
} from "./dump-compiler.ts";

export interface FlagState {
  /** Flags and segments, by environment id in lower case. */
  readonly flagSet: FlagSet;
  /** By id in lower case, in the order of upstream. */
  readonly environments: ReadonlyMap<string, Environment>;
  /** Highest `updatedAt` ever stored, in ms; 0 at first (1.5). */
  readonly dataVersion: number;
}

export interface Environment {
  /** As upstream writes it. */
  readonly envId: string;
  readonly secrets: readonly EnvironmentSecret[];
  readonly reading: Reading;
  /** Upstream need not send again what is older, in ms. It never passes an item that could not be read (2.4). */
  readonly mark: number;
}

/** What changed for the SDKs of one environment. */
export interface EnvironmentChange {
  /** In lower case. */
  readonly environment: string;
  /** `full`: something is gone or became older, which no patch can say. */
  readonly kind: "patch" | "full";
  readonly flags: readonly Flag[];
  readonly segments: readonly Segment[];
}

export interface StateChange {
  readonly state: FlagState;
  readonly environments: readonly EnvironmentChange[];
  readonly problems: readonly FlagProblem[];
}

/** A patch of one environment, or one that names the environment in its items only. */
export interface PatchItems extends FlagItems {
  readonly envId?: string;
}

export const emptyState: FlagState = {
  flagSet: createFlagSet().flagSet,
  environments: new Map(),
  dataVersion: 0,
};

/**
 * Everything anew: a full sync, a bootstrap, a file. Of a flag that cannot be read the one before stays; where it
 * cannot even be told which one that was, all of that environment stay. The state is the same object when nothing
 * changed.
 */
export function replaceState(before: FlagState, dump: CompiledDump): StateChange {
  const flagSet = keepUnread(before.flagSet, dump);
  const environments = new Map<string, Environment>();
  let dataVersion = before.dataVersion;
  for (const [id, each] of dump.environments) {
    const { envId, reading } = each;
    const old = before.environments.get(id);
    const secrets = each.hasAllSecrets ? each.secrets : unite(each.secrets, old?.secrets ?? []);
    const fresh = { envId, secrets, reading, mark: markOf(reading) };
    environments.set(id, old !== undefined && isSame(old, fresh) ? old : fresh);
    dataVersion = Math.max(dataVersion, reading.newest);
  }
  const changes = [...environments.keys()].flatMap((id) => difference(id, before, flagSet));
  const isUnchanged =
    changes.length === 0 &&
    dataVersion === before.dataVersion &&
    environments.size === before.environments.size &&
    [...environments].every(([id, environment]) => before.environments.get(id) === environment);
  const state = isUnchanged ? before : { flagSet, environments, dataVersion };
  return { state, environments: changes, problems: dump.problems };
}

/** What is newer: a patch (2.4). Items of environments that are not known are left out; what is known changes nothing. */
export function patchState(before: FlagState, patches: readonly PatchItems[]): StateChange {
  const builder = createFlagSetBuilder(before.flagSet);
  const readings = new Map<string, Reading>();
  const take = (kind: ItemKind, entry: unknown, patch: PatchItems, path: string): void => {
    const { environment = patch.envId?.toLowerCase(), time } = describeItem(entry);
    const old = environment === undefined ? undefined : before.environments.get(environment);
    if (environment !== undefined && old === undefined) return;
    const stored = takeItem(builder, before.flagSet, kind, entry, path);
    if (environment === undefined || old === undefined) return;
    const reading = readings.get(environment) ?? old.reading;
    readings.set(
      environment,
      stored === undefined ? unreadFrom(reading, time) : readUpTo(reading, stored.timestamp),
    );
  };
  for (const [index, patch] of patches.entries()) {
    const at = `items[${index}]`;
    for (const [i, entry] of patch.segments.entries()) take("segments", entry, patch, `${at}.segments[${i}]`);
    for (const [i, entry] of patch.featureFlags.entries())
      take("flags", entry, patch, `${at}.featureFlags[${i}]`);
  }
  const { flagSet, flags, segments, problems } = builder.finish();
  for (const [id, reading] of readings)
    if (isDeepStrictEqual(reading, before.environments.get(id)?.reading)) readings.delete(id);
  if (flags.length + segments.length + readings.size === 0)
    return { state: before, environments: [], problems };

  const environments = new Map(before.environments);
  let { dataVersion } = before;
  for (const [id, reading] of readings) {
    const old = before.environments.get(id);
    if (old !== undefined) environments.set(id, { ...old, reading, mark: markOf(reading) });
    dataVersion = Math.max(dataVersion, reading.newest);
  }
  return {
    state: { flagSet, environments, dataVersion },
    environments: changesOf(flagSet, flags, segments),
    problems,
  };
}

/** By environment; of an item that changed twice only what it is now. */
function changesOf(
  flagSet: FlagSet,
  flags: readonly Flag[],
  segments: readonly Segment[],
): EnvironmentChange[] {
  const changes = new Map<string, { flags: Flag[]; segments: Segment[] }>();
  const changeOf = (id: string): { flags: Flag[]; segments: Segment[] } => {
    const change = changes.get(id) ?? { flags: [], segments: [] };
    changes.set(id, change);
    return change;
  };
  const isNow = (kind: ItemKind, item: Flag | Segment): boolean =>
    flagSet.environments.get(item.envId)?.[kind].get(item.id) === item;
  for (const flag of flags) if (isNow("flags", flag)) changeOf(flag.envId).flags.push(flag);
  for (const segment of segments)
    if (isNow("segments", segment)) changeOf(segment.envId).segments.push(segment);
  return [...changes].map(([environment, change]) => ({ environment, kind: "patch", ...change }));
}

/** Compares without saying by its duration how much of a secret was right: what is looked up is a digest. */
export function secretDigest(value: string): string {
  return createHash("sha256").update(value).digest("base64");
}

/** The environments that are served, as `project:environment`, joined by commas (1.5). */
export function servedEnvironments({ environments }: FlagState): string {
  const names = [...environments.values()].flatMap(({ secrets: [first] }) =>
    first === undefined ? [] : [`${first.projectKey}:${first.envKey}`],
  );
  return [...new Set(names)].join(",");
}

/** The set of the dump, with what it should hold but could not be read, as it was before. */
function keepUnread(before: FlagSet, { flagSet, environments }: CompiledDump): FlagSet {
  const builder = createFlagSetBuilder(flagSet);
  let isKept = false;
  for (const [id, { unread }] of environments) {
    const keep = <Item extends Flag | Segment>(kind: ItemKind, take: (item: Item) => void): void => {
      for (const item of unreadItems(before, flagSet, id, kind, unread[kind])) {
        isKept = true;
        take(item as Item);
      }
    };
    keep<Segment>("segments", builder.keepSegment);
    keep<Flag>("flags", builder.keepFlag);
  }
  return isKept ? builder.finish().flagSet : flagSet;
}

function unreadItems(
  before: FlagSet,
  fresh: FlagSet,
  environment: string,
  kind: ItemKind,
  { ids, isUntold }: Unread,
): (Flag | Segment)[] {
  if (ids.size === 0 && !isUntold) return [];
  const old = [...(before.environments.get(environment)?.[kind].values() ?? [])];
  const now = fresh.environments.get(environment)?.[kind];
  return old.filter(({ id }) => now?.has(id) !== true && (isUntold || ids.has(id)));
}

function unite(now: readonly EnvironmentSecret[], old: readonly EnvironmentSecret[]): EnvironmentSecret[] {
  const values = new Set(now.map(({ value }) => value.reveal()));
  return [...now, ...old.filter(({ value }) => !values.has(value.reveal()))];
}

function isSame(
  one: Environment,
  other: Pick<CompiledEnvironment, "envId" | "secrets" | "reading">,
): boolean {
  const { newest, gap } = one.reading;
  return (
    one.envId === other.envId &&
    newest === other.reading.newest &&
    gap === other.reading.gap &&
    one.secrets.length === other.secrets.length &&
    one.secrets.every((secret, at) => isSameSecret(secret, other.secrets[at]))
  );
}

const isSameSecret = (one: EnvironmentSecret, other: EnvironmentSecret | undefined): boolean =>
  other !== undefined &&
  one.value.reveal() === other.value.reveal() &&
  one.type === other.type &&
  one.envId === other.envId &&
  one.projectKey === other.projectKey &&
  one.envKey === other.envKey;

/** What a full sync changed in one environment; nothing when all is as it was. */
function difference(id: string, before: FlagState, after: FlagSet): EnvironmentChange[] {
  const old = before.flagSet.environments.get(id);
  const now = after.environments.get(id);
  const flags = compare(old?.flags, now?.flags);
  const segments = compare(old?.segments, now?.segments);
  if (!before.environments.has(id) || flags.isBackward || segments.isBackward)
    return [{ environment: id, kind: "full", flags: flags.changed, segments: segments.changed }];
  if (flags.changed.length + segments.changed.length === 0) return [];
  return [{ environment: id, kind: "patch", flags: flags.changed, segments: segments.changed }];
}

interface Versioned {
  readonly json: string;
  readonly timestamp: number;
}

function compare<Item extends Versioned>(
  before: ReadonlyMap<string, Item> = new Map(),
  after: ReadonlyMap<string, Item> = new Map(),
): { readonly changed: readonly Item[]; readonly isBackward: boolean } {
  const changed: Item[] = [];
  let isBackward = [...before.keys()].some((id) => !after.has(id));
  for (const [id, item] of after) {
    const old = before.get(id);
    if (old?.json === item.json) continue;
    changed.push(item);
    isBackward ||= old !== undefined && old.timestamp > item.timestamp;
  }
  return { changed, isBackward };
}
