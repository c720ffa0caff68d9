/** Numbers that are the same for the same seed. */
export interface Random {
  /** From 0, below 1. */
  next(): number;
  /** From the first up to the second. */
  between(from: number, to: number): number;
  /** A whole number from 0, below `end`. */
  below(end: number): number;
  pick<T>(items: readonly [T, ...T[]]): T;
  /** A source of its own, which is the same whatever is drawn from this one. */
  fork(name: string): Random;
}

/** mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    pick: (items) => items[below(items.length)] ?? items[0],
    fork(name) {
      let hash = seed >>> 0;
      for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      return createRandom(hash);
    },
  };
}
