/** What an environment really held, at every moment: so that a test can tell an agent's copy from an invention. */
import { isDeepStrictEqual } from "node:util";
import type { Dump, DumpItem, Flag, Secret, Segment } from "./shapes.ts";

export type ItemKind = "flag" | "segment";

interface Version {
  readonly item: Flag | Segment;
  /** The fields in their order, without what only a manual agent gets. */
  readonly text: string;
  readonly from: number;
  /** Only its time differs from the one before, and nobody was told. */
  readonly isUntold: boolean;
}

interface ItemHistory {
  readonly versions: Version[];
  deletedAt: number;
}

export class EnvironmentTruth {
  readonly #histories: Map<string, ItemHistory> = new Map();
  readonly #secrets: Set<string> = new Set();

  record(kind: ItemKind, item: Flag | Segment, from: number, isUntold: boolean): void {
    const key = `${kind} ${item.id}`;
    const history = this.#histories.get(key) ?? { versions: [], deletedAt: Number.POSITIVE_INFINITY };
    history.versions.push({ item, text: textOf(item), from, isUntold });
    history.deletedAt = Number.POSITIVE_INFINITY;
    this.#histories.set(key, history);
  }

  recordDeletion(kind: ItemKind, id: string, at: number): void {
    const history = this.#histories.get(`${kind} ${id}`);
    if (history !== undefined) history.deletedAt = at;
  }

  recordSecret(secret: Secret): void {
    this.#secrets.add(JSON.stringify(secret));
  }

  /** Every version of an item, oldest first. */
  versions(kind: ItemKind, id: string): (Flag | Segment)[] {
    return (this.#histories.get(`${kind} ${id}`)?.versions ?? []).map(({ item }) => item);
  }

  /** What in this copy was never so. Empty when it is what the environment held at some moment. */
  problems(given: DumpItem): string[] {
    const found: string[] = [];
    for (const secret of given.secrets ?? []) {
      if (!this.#secrets.has(JSON.stringify(secret))) found.push(`secret ${secret.value} was never so`);
    }
    const present = new Set<string>();
    let earliest = 0;
    let latest = Number.POSITIVE_INFINITY;
    for (const [kind, items] of Object.entries({ flag: given.featureFlags, segment: given.segments })) {
      for (const item of items) {
        const key = `${kind} ${item.id}`;
        if (present.has(key)) found.push(`${key} stands twice`);
        present.add(key);
        const lifetime = this.#lifetime(key, textOf(item));
        if (lifetime === undefined) found.push(`${key} was never so: ${JSON.stringify(item)}`);
        else [earliest, latest] = [Math.max(earliest, lifetime[0]), Math.min(latest, lifetime[1])];
      }
    }
    const absent = [...this.#histories].filter(([key]) => !present.has(key)).map(([, history]) => history);
    const moments = [earliest, ...absent.map(({ deletedAt }) => deletedAt)];
    const fits = (at: number): boolean =>
      at >= earliest &&
      at < latest &&
      absent.every(({ versions, deletedAt }) => at < (versions[0]?.from ?? 0) || at >= deletedAt);
    if (found.length === 0 && !moments.some(fits)) found.push("no moment had all of these together");
    return found;
  }

  /** From when to when this version was the newest that an agent could know of. */
  #lifetime(key: string, text: string): [from: number, until: number] | undefined {
    const versions = this.#histories.get(key)?.versions ?? [];
    const at = versions.findLastIndex((version) => version.text === text);
    const version = versions[at];
    if (version === undefined) return undefined;
    const next = versions.slice(at + 1).find(({ isUntold }) => !isUntold);
    return [version.from, next?.from ?? Number.POSITIVE_INFINITY];
  }
}

/** Fields of a segment that only the portal's Sync button sends. */
const manualFields = ["workspaceId", "type", "scopes", "isEnvironmentSpecific"];

function textOf(item: Flag | Segment): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(item).filter(([name]) => !manualFields.includes(name))),
  );
}

/** Where two copies differ, order of items aside; empty when they hold the same. */
export function dumpDifferences(ours: Dump, theirs: Dump): string[] {
  const expected = itemsOf(ours);
  const given = itemsOf(theirs);
  const found: string[] = [];
  for (const [name, text] of expected) {
    const other = given.get(name);
    if (other === undefined) found.push(`${name} is missing`);
    else if (!isDeepStrictEqual(text, other)) found.push(`${name} is ${other}, not ${text}`);
  }
  for (const name of given.keys()) if (!expected.has(name)) found.push(`${name} is too many`);
  return found;
}

function itemsOf(dump: Dump): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { envId, secrets, featureFlags, segments } of dump.items) {
    texts.set(`environment ${envId}`, "");
    for (const secret of secrets) texts.set(`${envId} secret ${secret.value}`, JSON.stringify(secret));
    for (const flag of featureFlags) texts.set(`${envId} flag ${flag.id}`, textOf(flag));
    for (const segment of segments) texts.set(`${envId} segment ${segment.id}`, textOf(segment));
  }
  return texts;
}
