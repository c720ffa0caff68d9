import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { gzipSync } from "node:zlib";
import {
  branchOf,
  formatItem,
  hashNode,
  hashRoot,
  type Item,
  leafOf,
  type SnapshotHeader,
} from "@posthouse/protocol";

interface Child {
  readonly index: number;
  readonly hash: Uint8Array;
}

const sha256 = (data: Uint8Array | string): Uint8Array => createHash("sha256").update(data).digest();

/** Root hash of items in ascending order of their ids, computed from the protocol's description alone. */
export function snapshotHash(items: readonly Item[]): string {
  const hashes = items.map((item): Child => ({ index: item.id, hash: sha256(formatItem(item)) }));
  const branches = foldChildren(foldChildren(hashes, leafOf), branchOf);
  return Buffer.from(hashRoot(sha256, branches)).toString("hex");
}

function foldChildren(children: readonly Child[], parentOf: (index: number) => number): Child[] {
  const groups = Map.groupBy(children, ({ index }) => parentOf(index));
  return [...groups].map(([index, members]) => ({ index, hash: hashNode(sha256, members) }));
}

export interface SnapshotFile {
  readonly path: string;
  readonly namespace: string;
  readonly project: string;
  readonly version: number;
  readonly items: readonly Item[];
}

/** Writes a snapshot file as an agent keeps it, so that an agent serves it without ever having seen a Manager. */
export async function writeSnapshot({
  path,
  namespace,
  project,
  version,
  items,
}: SnapshotFile): Promise<void> {
  const header: SnapshotHeader = {
    posthouse: "snapshot",
    format: 1,
    namespace,
    project,
    version,
    hash: snapshotHash(items),
    items: items.length,
  };
  const lines = [JSON.stringify(header), ...items.map(formatItem), ""];
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, gzipSync(lines.join("\n"), { level: 1 }), { mode: 0o600 });
}
