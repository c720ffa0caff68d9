import {
  type ChangesHeader,
  changesHeaderSchema,
  deletionSchema,
  formatItem,
  leafOf,
} from "@posthouse/protocol";
import { createRuleSetBuilder } from "@posthouse/rules";
import { changeLeaves, hashLeaf, type Leaf } from "./item-hashes.ts";
import { readLines } from "./line-reader.ts";
import { createSlicer } from "./slicer.ts";
import { parseItemLine, parseJson, type Snapshot } from "./snapshot.ts";
import { damaged, type ReadOptions, verifyHash } from "./snapshot-reader.ts";

/**
 * Applies the changes between two versions to the earlier one, which stays as it is, and verifies the outcome.
 * Throws SNAPSHOT_DAMAGED, SNAPSHOT_HASH_MISMATCH, and what the body throws.
 */
export async function readChanges(
  base: Snapshot,
  body: AsyncIterable<Uint8Array>,
  { what, rules, signal }: ReadOptions,
): Promise<Snapshot> {
  const builder = createRuleSetBuilder(rules, base.ruleSet);
  const unreadable = new Map(base.unreadable);
  const touched = new Set<number>();
  let header: ChangesHeader | undefined;
  let last = 0;
  let count = 0;
  await readLines(body, what, signal, (text) => {
    if (header === undefined) {
      header = parseHeader(text, what, base.version);
      return;
    }
    const change = parseChange(text);
    if (change === undefined) throw damaged(what, `line ${count + 2} is no change`);
    if (change.id <= last) throw damaged(what, `item ${change.id} is out of order`);
    last = change.id;
    count++;
    touched.add(leafOf(change.id));
    unreadable.delete(change.id);
    if ("item" in change && change.item !== undefined) builder.put(change.item);
    else builder.delete(change.id);
    if ("line" in change && change.item === undefined) unreadable.set(change.id, change.line);
  });
  if (header === undefined) throw damaged(what, "it is empty");
  if (count !== header.items) throw damaged(what, `it has ${count} items, its header says ${header.items}`);

  const ruleSet = builder.build();
  const lineOf = (id: number) => {
    const item = ruleSet.get(id);
    return item === undefined ? unreadable.get(id) : formatItem(item);
  };
  const slicer = createSlicer(signal);
  const leaves = new Map<number, Leaf | undefined>();
  for (const leaf of touched) {
    leaves.set(leaf, hashLeaf(leaf, lineOf));
    if (slicer.isDue()) await slicer.pause();
  }
  const snapshot = { version: header.to, ruleSet, hashes: changeLeaves(base.hashes, leaves), unreadable };
  verifyHash(what, snapshot, header.hash);
  return snapshot;
}

function parseHeader(text: string, what: string, from: number): ChangesHeader {
  const parsed = changesHeaderSchema.safeParse(parseJson(text));
  if (!parsed.success) throw damaged(what, "its first line is no header of changes");
  if (parsed.data.from !== from) throw damaged(what, `it starts at version ${parsed.data.from}, not ${from}`);
  return parsed.data;
}

function parseChange(text: string) {
  const deletion = text.includes('"deleted"') ? deletionSchema.safeParse(parseJson(text)) : undefined;
  return deletion?.success ? { id: deletion.data.id } : parseItemLine(text);
}
