import {
  formatItem,
  type Item,
  itemSchema,
  type RedirectItem,
  redirectStatusNames,
  redirectTypes,
  type SnapshotHeader,
} from "@posthouse/protocol";
import { createRuleSetBuilder, type Problem, type RuleSet, type RuleSetOptions } from "@posthouse/rules";
import { createItemHasher, type ItemHashes } from "./item-hashes.ts";
import { createSlicer } from "./slicer.ts";

/** One version of a project, verified and compiled. Immutable: a change makes another one beside it. */
export interface Snapshot {
  readonly version: number;
  readonly ruleSet: RuleSet;
  readonly hashes: ItemHashes;
  /** Lines of items that this release cannot read, by id: not served, but hashed, kept and written like the others. */
  readonly unreadable: ReadonlyMap<number, string>;
}

const maxId = 0xffff_ffff;

export type ParsedLine = { readonly id: number; readonly item: Item | undefined; readonly line: string };

/** A redirect's line that is sure to be canonical and valid but for the bounds of its values: nothing in it is escaped. */
const plainRedirect = new RegExp(
  `^\\{"id":[1-9]\\d{0,9},"kind":"redirect","type":"(?:${redirectTypes.join("|")})",` +
    `"source":"[ !#-[\\]-\\ud7ff\\ue000-\\uffff]*","target":"[ !#-[\\]-\\ud7ff\\ue000-\\uffff]*",` +
    `"status":"(?:${redirectStatusNames.join("|")})"\\}$`,
);

/** Reads an item's line. An object with an id that is no item of ours is kept as a line; anything else is undefined. */
export function parseItemLine(line: string): ParsedLine | undefined {
  const value = parseJson(line);
  // Nearly every line; without this, checking and formatting it again costs more than all the rest.
  if (plainRedirect.test(line)) {
    const item = value as RedirectItem;
    if (item.id <= maxId && item.source.length <= 600 && item.target.length <= 2048)
      return { id: item.id, item, line };
  }
  const id = typeof value === "object" && value !== null && "id" in value ? value.id : undefined;
  if (typeof id !== "number" || !Number.isInteger(id) || id < 1 || id > maxId) return undefined;
  return parseItem(id, value, line);
}

/** The same from a value that was parsed already. */
export function parseItem(id: number, value: unknown, line: string): ParsedLine {
  const { success, data: item } = itemSchema.safeParse(value);
  return success ? { id, item, line: formatItem(item) } : { id, item: undefined, line };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Collects items in ascending order of their ids. */
export interface SnapshotBuilder {
  add(parsed: ParsedLine): void;
  finish(version: number): Snapshot;
}

export function createSnapshotBuilder(options: RuleSetOptions): SnapshotBuilder {
  const rules = createRuleSetBuilder(options);
  const hasher = createItemHasher();
  const unreadable = new Map<number, string>();
  return {
    add({ id, item, line }) {
      hasher.add(id, line);
      if (item === undefined) unreadable.set(id, line);
      else rules.put(item);
    },
    finish: (version) => ({ version, ruleSet: rules.build(), hashes: hasher.finish(), unreadable }),
  };
}

/** Everything that is wrong with a snapshot's items, those that cannot even be read included. */
export function problemsOf(snapshot: Snapshot): readonly Problem[] {
  if (snapshot.unreadable.size === 0) return snapshot.ruleSet.problems;
  const unreadable = [...snapshot.unreadable.keys()].map(
    (itemId): Problem => ({
      code: "ITEM_UNREADABLE",
      severity: "error",
      itemId,
      message: "This release does not know an item of this form",
      hint: "The Manager may be newer than this agent: update the agent.",
    }),
  );
  return [...snapshot.ruleSet.problems, ...unreadable];
}

const blockLength = 64 * 1024;

/** A snapshot as text, in blocks of whole lines, made in slices. */
export async function* snapshotText(
  snapshot: Snapshot,
  project: { namespace: string; project: string },
  signal: AbortSignal,
): AsyncGenerator<string> {
  const slicer = createSlicer(signal);
  const header: SnapshotHeader = {
    posthouse: "snapshot",
    format: 1,
    namespace: project.namespace,
    project: project.project,
    version: snapshot.version,
    hash: snapshot.hashes.root,
    items: snapshot.hashes.items,
  };
  let block = `${JSON.stringify(header)}\n`;
  for (const line of linesOf(snapshot)) {
    block += `${line}\n`;
    if (block.length >= blockLength) {
      yield block;
      block = "";
    }
    if (slicer.isDue()) await slicer.pause();
  }
  yield block;
}

function* linesOf({ ruleSet, unreadable }: Snapshot): Generator<string> {
  const ids = [...unreadable.keys()].sort((a, b) => a - b);
  let next = 0;
  for (const item of ruleSet.items()) {
    for (; next < ids.length && (ids[next] ?? 0) < item.id; next++)
      yield unreadable.get(ids[next] ?? 0) ?? "";
    yield formatItem(item);
  }
  for (; next < ids.length; next++) yield unreadable.get(ids[next] ?? 0) ?? "";
}
