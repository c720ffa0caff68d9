/**
 * Compiles a whole dump beside what is served, item by item, so that it can be done in slices. What is as it was before
 * is not compiled again: a full sync that brings nothing new costs a comparison.
 */
import {
  createFlagSet,
  createFlagSetBuilder,
  type Flag,
  type FlagProblem,
  type FlagSet,
  type FlagSetBuilder,
  type Segment,
} from "@posthouse/flags";
import { type DumpEnvironment, type EnvironmentSecret, ItemText } from "./dump.ts";

/** A dump, compiled; not yet what is served. */
export interface CompiledDump {
  readonly flagSet: FlagSet;
  /** By id in lower case. */
  readonly environments: ReadonlyMap<string, CompiledEnvironment>;
  readonly problems: readonly FlagProblem[];
}

export interface CompiledEnvironment {
  readonly envId: string;
  readonly secrets: readonly EnvironmentSecret[];
  readonly hasAllSecrets: boolean;
  /** Up to where all was read, in ms. */
  readonly reading: Reading;
  readonly unread: { readonly flags: Unread; readonly segments: Unread };
}

export type ItemKind = "flags" | "segments";

/** What of an environment could not be read: these ids, and perhaps others that cannot be told. */
export interface Unread {
  readonly ids: ReadonlySet<string>;
  readonly isUntold: boolean;
}

export interface DumpCompiler {
  /** Takes a piece of a dump; yields after each item, where it can be paused. */
  add(piece: DumpEnvironment): Generator<undefined>;
  finish(): CompiledDump;
}

interface Draft {
  readonly envId: string;
  readonly secrets: EnvironmentSecret[];
  hasAllSecrets: boolean;
  reading: Reading;
  readonly unread: Readonly<Record<ItemKind, { readonly ids: Set<string>; isUntold: boolean }>>;
}

export function createDumpCompiler(before: FlagSet): DumpCompiler {
  // Compiled items count into the counters of the set they were made for.
  const builder = createFlagSetBuilder({ ...createFlagSet().flagSet, counters: before.counters });
  const drafts = new Map<string, Draft>();
  let pieces = 0;

  function draftOf({ envId }: DumpEnvironment): Draft {
    const id = envId.toLowerCase();
    const known = drafts.get(id);
    if (known !== undefined) return known;
    const unread = {
      flags: { ids: new Set<string>(), isUntold: false },
      segments: { ids: new Set<string>(), isUntold: false },
    };
    const draft = { envId, secrets: [], hasAllSecrets: true, reading: nothingRead, unread };
    drafts.set(id, draft);
    return draft;
  }

  function* addAll(
    draft: Draft,
    kind: ItemKind,
    items: readonly unknown[],
    at: string,
    first: number,
  ): Generator<undefined> {
    for (const [index, entry] of items.entries()) {
      const stored = takeItem(builder, before, kind, entry, `${at}[${first + index}]`);
      const { id, time } = describeItem(entry);
      if (stored !== undefined) draft.reading = readUpTo(draft.reading, stored.timestamp);
      else {
        draft.reading = unreadFrom(draft.reading, time);
        if (id === undefined) draft.unread[kind].isUntold = true;
        else draft.unread[kind].ids.add(id);
      }
      yield;
    }
  }

  return {
    *add(piece) {
      const place = piece.place ?? { item: pieces++, featureFlags: 0, segments: 0 };
      const at = `items[${place.item}]`;
      const draft = draftOf(piece);
      draft.secrets.push(...piece.secrets);
      if ((piece.unreadableSecrets ?? 0) > 0) draft.hasAllSecrets = false;
      yield* addAll(draft, "segments", piece.segments, `${at}.segments`, place.segments);
      yield* addAll(draft, "flags", piece.featureFlags, `${at}.featureFlags`, place.featureFlags);
      const { mark } = piece;
      if (mark !== undefined && mark < draft.reading.newest)
        draft.reading = unreadFrom(draft.reading, mark + 1);
    },
    finish() {
      const { flagSet, problems } = builder.finish();
      return { flagSet, environments: drafts, problems };
    },
  };
}

/** Compiles at once: for dumps that are small. */
export function compileDump(before: FlagSet, dump: readonly DumpEnvironment[]): CompiledDump {
  const compiler = createDumpCompiler(before);
  for (const piece of dump) for (const _ of compiler.add(piece));
  return compiler.finish();
}

/** Puts an item into the set, or what is known when that is the same. Undefined when it is broken. */
export function takeItem(
  builder: FlagSetBuilder,
  before: FlagSet,
  kind: ItemKind,
  entry: unknown,
  path: string,
): Flag | Segment | undefined {
  const text = entry instanceof ItemText ? entry.text : JSON.stringify(entry);
  const { id, environment } = describeItem(entry);
  const known = findKnown(before, kind, id, environment);
  if (known?.json === text) {
    if (kind === "flags") builder.keepFlag(known as Flag);
    else builder.keepSegment(known as Segment);
    return known;
  }
  const value: unknown = entry instanceof ItemText ? JSON.parse(text) : entry;
  return kind === "flags" ? builder.flag(value, path) : builder.segment(value, path);
}

function findKnown(
  { environments }: FlagSet,
  kind: ItemKind,
  id: string | undefined,
  environment: string | undefined,
): Flag | Segment | undefined {
  if (id === undefined || environment === undefined) return undefined;
  return environments.get(environment)?.[kind].get(id);
}

/** What can be told of an item that may be broken. */
export interface ItemDescription {
  readonly id: string | undefined;
  /** Environment id in lower case. */
  readonly environment: string | undefined;
  /** When it changed, in ms. */
  readonly time: number | undefined;
}

export function describeItem(entry: unknown): ItemDescription {
  if (entry instanceof ItemText) return entry;
  const { id, envId, updatedAt } = Object(entry) as Readonly<Record<string, unknown>>;
  const time = typeof updatedAt === "string" ? Date.parse(updatedAt) : Number.NaN;
  return {
    id: typeof id === "string" && id !== "" ? id : undefined,
    environment: typeof envId === "string" ? envId.toLowerCase() : undefined,
    time: Number.isNaN(time) ? undefined : time,
  };
}

/** How far an environment was read, in ms. */
export interface Reading {
  /** The newest item. */
  readonly newest: number;
  /** Something from here on is missing; Infinity: nothing is. */
  readonly gap: number;
}

export const nothingRead: Reading = { newest: 0, gap: Number.POSITIVE_INFINITY };

export const readUpTo = ({ newest, gap }: Reading, time: number): Reading => ({
  newest: Math.max(newest, time),
  gap,
});

/** Something could not be read; when it is not known of when, nothing after the beginning counts. */
export const unreadFrom = ({ newest, gap }: Reading, time: number = 1): Reading => ({
  newest,
  gap: Math.min(gap, time),
});

/** Upstream need not send again what is older: never past what is missing (2.4). */
export const markOf = ({ newest, gap }: Reading): number => Math.max(0, Math.min(newest, gap - 1));
