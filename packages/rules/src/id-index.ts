/**
 * Ids by a hash, in many small tables of pairs [hash, id] with open addressing, so that none is ever rehashed for long
 * and a copy that differs in a few ids shares all the others. What another owner made is copied before it is changed.
 * Sixteen bytes an id at most times, and nothing in it for the garbage collector to follow.
 */
export interface IdIndex {
  readonly shards: readonly Shard[];
  size: number;
}

interface Shard {
  readonly owner: object;
  readonly slots: Int32Array;
  used: number;
}

const shardCount = 256;
const nobody = {};

export function createIdIndex(): IdIndex {
  const empty: Shard = { owner: nobody, slots: new Int32Array(16), used: 0 };
  return { shards: new Array<Shard>(shardCount).fill(empty), size: 0 };
}

/** A copy that shares every shard. */
export function shareIdIndex(index: IdIndex): IdIndex {
  return { shards: [...index.shards], size: index.size };
}

/** The greatest id of those with this hash that pass, or 0. */
export function findId(index: IdIndex, hash: number, passes: (id: number) => boolean): number {
  const slots = index.shards[hash >>> 24]?.slots;
  if (slots === undefined) return 0;
  const wrap = slots.length - 1;
  let greatest = 0;
  for (let at = (hash << 1) & wrap; slots[at + 1] !== 0; at = (at + 2) & wrap) {
    if (slots[at] !== hash) continue;
    const id = (slots[at + 1] ?? 0) >>> 0;
    if (id > greatest && passes(id)) greatest = id;
  }
  return greatest;
}

export function addId(index: IdIndex, hash: number, id: number, owner: object): void {
  const known = index.shards[hash >>> 24];
  if (known === undefined) return;
  const { used, slots } = known;
  const isFull = (used + 1) * 8 > slots.length * 3;
  const shard: Shard =
    known.owner === owner && !isFull
      ? known
      : { owner, used, slots: isFull ? refill(slots, slots.length * 2) : slots.slice() };
  insert(shard.slots, hash, id);
  shard.used += 1;
  index.size += 1;
  (index.shards as Shard[])[hash >>> 24] = shard;
}

export function removeId(index: IdIndex, hash: number, id: number, owner: object): void {
  const known = index.shards[hash >>> 24];
  if (known === undefined) return;
  const slots = refill(known.slots, known.slots.length, id);
  (index.shards as Shard[])[hash >>> 24] = { owner, slots, used: known.used - 1 };
  index.size -= 1;
}

function refill(slots: Int32Array, size: number, without = 0): Int32Array {
  const filled = new Int32Array(size);
  for (let at = 0; at < slots.length; at += 2) {
    const id = slots[at + 1] ?? 0;
    if (id !== 0 && id !== (without | 0)) insert(filled, slots[at] ?? 0, id);
  }
  return filled;
}

function insert(slots: Int32Array, hash: number, id: number): void {
  const wrap = slots.length - 1;
  let at = (hash << 1) & wrap;
  while (slots[at + 1] !== 0) at = (at + 2) & wrap;
  slots[at] = hash;
  slots[at + 1] = id;
}
