import { hash } from "node:crypto";
import { branchOf, hashNode, hashRoot, leafOf } from "@posthouse/protocol";

/**
 * The upper levels of a snapshot's hash tree (see hash-tree.ts of the protocol), kept so that a change hashes only the
 * leaves it touches. Item hashes are not kept: those of a touched leaf, 256 at most, are computed again.
 */
export interface ItemHashes {
  readonly root: string;
  readonly items: number;
  readonly leaves: ReadonlyMap<number, Leaf>;
  readonly branches: ReadonlyMap<number, Uint8Array>;
}

export interface Leaf {
  readonly hash: Uint8Array;
  readonly items: number;
}

/** Takes the lines of items in ascending order of their ids. */
export interface ItemHasher {
  add(id: number, line: string): void;
  finish(): ItemHashes;
}

const sha256 = (data: Uint8Array | string): Uint8Array => hash("sha256", data, "buffer");

export function createItemHasher(): ItemHasher {
  const leaves = new Map<number, Leaf>();
  const places = leafPlaces();
  let current = -1;
  let children: { index: number; hash: Uint8Array }[] = [];
  const close = () => {
    if (children.length > 0)
      leaves.set(current, { hash: hashNode(sha256, children), items: children.length });
    children = [];
  };
  return {
    add(id, line) {
      if (leafOf(id) !== current) {
        close();
        current = leafOf(id);
      }
      const place = places[children.length];
      if (place === undefined) throw new RangeError(`item ${id} is not in ascending order`);
      // A digest as text costs half of one as a Buffer.
      place.write(hash("sha256", line, "latin1"), "latin1");
      children.push({ index: id, hash: place });
    },
    finish() {
      close();
      return withBranches(leaves, new Map(), new Set([...leaves.keys()].map(branchOf)));
    },
  };
}

/** Room for the hashes of one leaf's items. */
function leafPlaces(): readonly Buffer[] {
  const room = Buffer.alloc(256 * 32);
  return Array.from({ length: 256 }, (_, index) => room.subarray(index * 32, index * 32 + 32));
}

/** Hashes one leaf. `lineOf` gives the line of the item with an id, or undefined where there is none. */
export function hashLeaf(leaf: number, lineOf: (id: number) => string | undefined): Leaf | undefined {
  const children = [];
  for (let id = leaf * 256; id < leaf * 256 + 256; id++) {
    const line = lineOf(id);
    if (line !== undefined) children.push({ index: id, hash: sha256(line) });
  }
  return children.length === 0 ? undefined : { hash: hashNode(sha256, children), items: children.length };
}

/** The hashes after a change, from the leaves that it touched (undefined: the leaf is empty now). */
export function changeLeaves(base: ItemHashes, touched: ReadonlyMap<number, Leaf | undefined>): ItemHashes {
  const leaves = new Map(base.leaves);
  for (const [index, leaf] of touched) {
    if (leaf === undefined) leaves.delete(index);
    else leaves.set(index, leaf);
  }
  return withBranches(leaves, new Map(base.branches), new Set([...touched.keys()].map(branchOf)));
}

function withBranches(
  leaves: Map<number, Leaf>,
  branches: Map<number, Uint8Array>,
  stale: ReadonlySet<number>,
): ItemHashes {
  for (const branch of stale) {
    const children = [];
    for (let index = branch * 256; index < branch * 256 + 256; index++) {
      const leaf = leaves.get(index);
      if (leaf !== undefined) children.push({ index, hash: leaf.hash });
    }
    if (children.length === 0) branches.delete(branch);
    else branches.set(branch, hashNode(sha256, children));
  }
  const sorted = [...branches].map(([index, hash]) => ({ index, hash })).sort((a, b) => a.index - b.index);
  let items = 0;
  for (const leaf of leaves.values()) items += leaf.items;
  return { root: Buffer.from(hashRoot(sha256, sorted)).toString("hex"), items, leaves, branches };
}
