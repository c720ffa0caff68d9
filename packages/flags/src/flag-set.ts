/**
 * Flags and segments of all environments, compiled for evaluation; immutable, swapped by one assignment.
 *  - Items are known by id and environment (1.7). An older item never replaces a newer one; one as old does.
 *  - A broken item changes nothing: what was there before stays, and the problem is reported.
 *  - A segment is looked up by its id over all environments; the newest wins (4.4).
 */
import { type CompileContext, createCounters, type FlagCounters } from "./context.ts";
import { compileFlag, type Flag } from "./flag.ts";
import { createProblem, type FlagProblem } from "./problem.ts";
import { compileSegment, type Segment, type SegmentIndex } from "./segment.ts";

/** Flags and segments as they arrive: an item of a full sync or a dump, or the data of a patch. */
export interface FlagItems {
  readonly featureFlags: readonly unknown[];
  readonly segments: readonly unknown[];
}

export interface EnvironmentFlags {
  readonly flags: ReadonlyMap<string, Flag>;
  readonly segments: SegmentIndex;
}

export interface FlagSet {
  /** By environment id in lower case. */
  readonly environments: ReadonlyMap<string, EnvironmentFlags>;
  /** What `evaluateFlag` takes. */
  readonly segments: SegmentIndex;
  /** Shared with the sets made from this one. */
  readonly counters: FlagCounters;
}

export interface FlagSetChange {
  readonly flagSet: FlagSet;
  /** Those now in the set, in the order in which they came. */
  readonly flags: readonly Flag[];
  readonly segments: readonly Segment[];
  readonly problems: readonly FlagProblem[];
}

/** Compiles everything there is: a full sync, a dump, a snapshot. */
export function createFlagSet(items: readonly FlagItems[] = []): FlagSetChange {
  return applyItems({ environments: new Map(), segments: new Map(), counters: createCounters() }, items);
}

/** Compiles what changed, and gives the set with it. What did not change is shared; `base` stays as it is. */
export function applyItems(base: FlagSet, items: readonly FlagItems[]): FlagSetChange {
  const builder = createFlagSetBuilder(base);
  for (const [index, { featureFlags, segments }] of items.entries()) {
    for (const [at, input] of segments.entries()) builder.segment(input, `items[${index}].segments[${at}]`);
    for (const [at, input] of featureFlags.entries())
      builder.flag(input, `items[${index}].featureFlags[${at}]`);
  }
  return builder.finish();
}

/** Makes a set item by item, for those who cannot compile thousands at once. `base` stays as it is. */
export interface FlagSetBuilder {
  /** Compiles a flag and takes it, unless a newer one is there. Undefined when it is broken, which is reported. */
  flag(input: unknown, path: string): Flag | undefined;
  segment(input: unknown, path: string): Segment | undefined;
  /** Takes what was compiled for a set of the same counters. */
  keepFlag(flag: Flag): void;
  keepSegment(segment: Segment): void;
  finish(): FlagSetChange;
}

export function createFlagSetBuilder(base: FlagSet): FlagSetBuilder {
  const problems: FlagProblem[] = [];
  const flags = new Map<Flag, string>();
  const changed: Segment[] = [];
  const draft = createDraft(base);
  return {
    flag(input, path) {
      const flag = compileFlag(input, path, contextOf(input, "key", base.counters, problems));
      if (flag !== undefined && draft.addFlag(flag)) flags.set(flag, path);
      return flag;
    },
    segment(input, path) {
      const segment = compileSegment(input, path, contextOf(input, "id", base.counters, problems));
      if (segment !== undefined && draft.addSegment(segment)) changed.push(segment);
      return segment;
    },
    keepFlag: (flag) => void draft.addFlag(flag),
    keepSegment: (segment) => void draft.addSegment(segment),
    finish() {
      const flagSet = draft.finish();
      for (const flag of flags.keys()) {
        for (const [segment, path] of flag.segmentIds) {
          if (!flagSet.segments.has(segment))
            problems.push(createProblem("SEGMENT_MISSING", path, flag.key, { segment }));
        }
      }
      return { flagSet, flags: [...flags.keys()], segments: changed, problems };
    },
  };
}

/** Flags of the segment's environment whose conditions name it: those to evaluate anew when it changed (3.9). */
export function flagsOfSegment({ environments }: FlagSet, { id, envId }: Segment): readonly Flag[] {
  const flags = environments.get(envId)?.flags.values() ?? [];
  return [...flags].filter(({ segmentIds }) => segmentIds.has(id));
}

/**
 * When a flag last changed in effect: it, or a segment that its conditions name. A segment's change does not move the
 * flag's own time in the agent's copy, and an SDK that asks for what is newer would miss it (3.9).
 */
export function effectiveTimestamp(flag: Flag, segments: SegmentIndex): number {
  let newest = flag.timestamp;
  for (const id of flag.segmentIds.keys()) newest = Math.max(newest, segments.get(id)?.timestamp ?? 0);
  return newest;
}

function contextOf(
  input: unknown,
  field: "key" | "id",
  counters: FlagCounters,
  problems: FlagProblem[],
): CompileContext {
  const name: unknown = Object(input)[field];
  const item = typeof name === "string" ? name : undefined;
  return {
    counters,
    report: (code, path, values) => void problems.push(createProblem(code, path, item, values)),
  };
}

interface Draft {
  addFlag(flag: Flag): boolean;
  addSegment(segment: Segment): boolean;
  finish(): FlagSet;
}

/** Copies an environment when it is first written to. */
function createDraft(base: FlagSet): Draft {
  const environments = new Map(base.environments);
  const own = new Map<string, { flags: Map<string, Flag>; segments: Map<string, Segment> }>();
  let segments: Map<string, Segment> | undefined;

  function environment(envId: string): { flags: Map<string, Flag>; segments: Map<string, Segment> } {
    const known = own.get(envId);
    if (known !== undefined) return known;
    const before = environments.get(envId);
    const copy = { flags: new Map(before?.flags), segments: new Map(before?.segments) };
    own.set(envId, copy);
    environments.set(envId, copy);
    return copy;
  }

  return {
    addFlag: (flag) => put(environment(flag.envId).flags, flag),
    addSegment(segment) {
      if (!put(environment(segment.envId).segments, segment)) return false;
      segments ??= new Map(base.segments);
      put(segments, segment);
      return true;
    },
    finish: () => ({ environments, segments: segments ?? base.segments, counters: base.counters }),
  };
}

function put<Item extends { readonly id: string; readonly timestamp: number }>(
  items: Map<string, Item>,
  item: Item,
): boolean {
  const known = items.get(item.id);
  if (known !== undefined && known.timestamp > item.timestamp) return false;
  items.set(item.id, item);
  return true;
}
