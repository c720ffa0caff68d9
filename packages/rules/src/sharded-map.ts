/**
 * A map of texts in many small maps, so that none is ever rehashed for long, and a copy that differs in a few keys
 * shares all the others. What another owner made is copied before it is changed.
 */
export interface ShardedMap<Value> {
  readonly shards: readonly Shard<Value>[];
  size: number;
}

interface Shard<Value> {
  readonly owner: object;
  readonly map: Map<string, Value>;
}

const shardCount = 256;
const nobody = {};

export function createShardedMap<Value>(): ShardedMap<Value> {
  const empty: Shard<Value> = { owner: nobody, map: new Map() };
  return { shards: new Array<Shard<Value>>(shardCount).fill(empty), size: 0 };
}

/** A copy that shares every shard. */
export function shareShardedMap<Value>(map: ShardedMap<Value>): ShardedMap<Value> {
  return { shards: [...map.shards], size: map.size };
}

export function getFrom<Value>(map: ShardedMap<Value>, key: string): Value | undefined {
  return map.size === 0 ? undefined : map.shards[shardOf(key)]?.map.get(key);
}

/** Sets a key, or deletes it when `value` is undefined. */
export function setIn<Value>(
  map: ShardedMap<Value>,
  key: string,
  value: Value | undefined,
  owner: object,
): void {
  const index = shardOf(key);
  const shards = map.shards as Shard<Value>[];
  let shard = shards[index];
  if (shard === undefined || shard.owner !== owner) {
    shard = { owner, map: new Map(shard?.map) };
    shards[index] = shard;
  }
  map.size -= shard.map.size;
  if (value === undefined) shard.map.delete(key);
  else shard.map.set(key, value);
  map.size += shard.map.size;
}

/** Mixes the length and eight characters, most of them from the end, where paths differ. */
function shardOf(key: string): number {
  const length = key.length;
  let mix = length;
  for (let back = 1; back <= 5 && back <= length; back++)
    mix = (mix * 31 + key.charCodeAt(length - back)) | 0;
  mix = (mix * 31 + key.charCodeAt(length >> 1)) | 0;
  mix = (mix * 31 + key.charCodeAt((length * 3) >> 2)) | 0;
  mix = (mix * 31 + key.charCodeAt(length >> 2)) | 0;
  return (mix ^ (mix >>> 15)) & (shardCount - 1);
}
