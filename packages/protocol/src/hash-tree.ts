/**
 * The hash of a snapshot, as a tree of fixed shape, so that one change costs a few hundred hashes at any project size
 * and can be verified without the whole.
 *
 *   item hash   SHA-256 of the item's canonical line
 *   leaf        covers ids with the same `id >>> 8`:  SHA-256 over (id & 255 as one byte, item hash) in id order
 *   branch      covers ids with the same `id >>> 16`: SHA-256 over (leaf index & 255 as one byte, leaf hash)
 *   root        SHA-256 over (branch index as four bytes, big endian, branch hash); of no bytes when there is no item
 *
 * Leaves and branches without items do not exist.
 */
export type Sha256 = (data: Uint8Array) => Uint8Array;

export const leafOf = (id: number): number => id >>> 8;
export const branchOf = (leaf: number): number => leaf >>> 8;

/** Hash of a leaf or a branch. `children` in ascending order; `index` is the item's id or the leaf's index. */
export function hashNode(
  sha256: Sha256,
  children: readonly { index: number; hash: Uint8Array }[],
): Uint8Array {
  const bytes = new Uint8Array(children.length * 33);
  let at = 0;
  for (const { index, hash } of children) {
    bytes[at] = index & 255;
    bytes.set(hash, at + 1);
    at += 33;
  }
  return sha256(bytes);
}

/** Hash of a whole snapshot from its branches in ascending order. */
export function hashRoot(
  sha256: Sha256,
  branches: readonly { index: number; hash: Uint8Array }[],
): Uint8Array {
  const bytes = new Uint8Array(branches.length * 36);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const { index, hash } of branches) {
    view.setUint32(at, index);
    bytes.set(hash, at + 4);
    at += 36;
  }
  return sha256(bytes);
}
