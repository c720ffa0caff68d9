import { type SnapshotHeader, snapshotHeaderSchema } from "@posthouse/protocol";
import type { RuleSetOptions } from "@posthouse/rules";
import { errors } from "./errors.ts";
import { readLines } from "./line-reader.ts";
import { createSnapshotBuilder, parseItemLine, parseJson, type Snapshot } from "./snapshot.ts";

export interface ReadOptions {
  /** What is read, for messages: "snapshot", "copy on disk". */
  readonly what: string;
  readonly namespace: string;
  readonly project: string;
  readonly rules: RuleSetOptions;
  readonly signal: AbortSignal;
}

/**
 * Reads a whole snapshot and verifies it, in slices.
 * Throws SNAPSHOT_DAMAGED, SNAPSHOT_HASH_MISMATCH, SNAPSHOT_OF_ANOTHER_PROJECT, and what the body throws.
 */
export async function readSnapshot(body: AsyncIterable<Uint8Array>, options: ReadOptions): Promise<Snapshot> {
  const { what } = options;
  const builder = createSnapshotBuilder(options.rules);
  let header: SnapshotHeader | undefined;
  let last = 0;
  let count = 0;
  await readLines(body, what, options.signal, (text) => {
    if (header === undefined) {
      header = parseHeader(text, options);
      return;
    }
    const parsed = parseItemLine(text);
    if (parsed === undefined) throw damaged(what, `line ${count + 2} is no item`);
    if (parsed.id <= last) throw damaged(what, `item ${parsed.id} is out of order`);
    last = parsed.id;
    count++;
    builder.add(parsed);
  });
  if (header === undefined) throw damaged(what, "it is empty");
  if (count !== header.items) throw damaged(what, `it has ${count} items, its header says ${header.items}`);
  const snapshot = builder.finish(header.version);
  verifyHash(what, snapshot, header.hash);
  return snapshot;
}

export function verifyHash(what: string, { version, hashes }: Snapshot, expected: string): void {
  if (hashes.root === expected) return;
  throw errors.create("SNAPSHOT_HASH_MISMATCH", { what, version, expected, actual: hashes.root });
}

export function damaged(what: string, reason: string): Error {
  return errors.create("SNAPSHOT_DAMAGED", { what, reason });
}

function parseHeader(text: string, { what, namespace, project }: ReadOptions): SnapshotHeader {
  const parsed = snapshotHeaderSchema.safeParse(parseJson(text));
  if (!parsed.success) throw damaged(what, "its first line is no snapshot header");
  const header = parsed.data;
  if (header.namespace !== namespace || header.project !== project) {
    throw errors.create("SNAPSHOT_OF_ANOTHER_PROJECT", {
      what,
      found: `${header.namespace}/${header.project}`,
      wanted: `${namespace}/${project}`,
    });
  }
  return header;
}
