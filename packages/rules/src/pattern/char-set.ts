import { caseVariants } from "./case-folding.ts";

/** Characters as sorted ranges that do not touch: [first, last, first, last, …]. */
export type CharSet = readonly number[];

export const lastPoint = 0x10ffff;
export const everyCharacter: CharSet = [0, lastPoint];
export const exceptNewline: CharSet = [0, 9, 11, lastPoint];

/** Sorts and joins ranges. */
export function createCharSet(ranges: readonly number[]): CharSet {
  if (ranges.length <= 2) return ranges;
  const pairs: [number, number][] = [];
  for (let at = 0; at < ranges.length; at += 2) pairs.push([ranges[at] ?? 0, ranges[at + 1] ?? 0]);
  pairs.sort((a, b) => a[0] - b[0]);
  const joined: number[] = [];
  for (const [first, last] of pairs) {
    const end = joined.length - 1;
    if (end > 0 && first <= (joined[end] ?? 0) + 1) joined[end] = Math.max(joined[end] ?? 0, last);
    else joined.push(first, last);
  }
  return joined;
}

export function negateSet(set: CharSet): CharSet {
  const rest: number[] = [];
  let next = 0;
  for (let at = 0; at < set.length; at += 2) {
    if ((set[at] ?? 0) > next) rest.push(next, (set[at] ?? 0) - 1);
    next = (set[at + 1] ?? 0) + 1;
  }
  if (next <= lastPoint) rest.push(next, lastPoint);
  return rest;
}

export function setsOverlap(left: CharSet, right: CharSet): boolean {
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    if ((left[l + 1] ?? 0) < (right[r] ?? 0)) l += 2;
    else if ((right[r + 1] ?? 0) < (left[l] ?? 0)) r += 2;
    else return true;
  }
  return false;
}

export function setHas(set: CharSet, point: number): boolean {
  return setsOverlap(set, [point, point]);
}

/** Adds the case variants of every character; `undefined` where that would need the whole Unicode table. */
export function foldSet(set: CharSet): CharSet | undefined {
  const ranges = [...set];
  for (let at = 0; at < set.length; at += 2) {
    const first = set[at] ?? 0;
    const last = set[at + 1] ?? 0;
    if (first === 0 && last === lastPoint) return everyCharacter;
    if (last >= 0x80 && last - Math.max(first, 0x80) > 64) return undefined;
    for (let point = first; point <= last; point++) {
      for (const variant of caseVariants(point)) ranges.push(variant, variant);
    }
  }
  return createCharSet(ranges);
}
