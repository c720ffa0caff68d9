/**
 * Sets of UTF-16 units, which is what .NET matches: sorted ranges that do not touch, [first, last, first, last, …].
 * Unicode's categories come from the engine's own tables.
 */
export type UnitSet = readonly number[];

const lastUnit = 0xffff;
export const everyUnit: UnitSet = [0, lastUnit];

/** Sorts and joins ranges. */
export function createUnitSet(ranges: readonly number[]): UnitSet {
  if (ranges.length <= 2) return ranges;
  const pairs: [number, number][] = [];
  for (let at = 0; at < ranges.length; at += 2) pairs.push([ranges[at] as number, ranges[at + 1] as number]);
  pairs.sort((left, right) => left[0] - right[0]);
  const joined: number[] = [];
  for (const [first, last] of pairs) {
    const end = joined.length - 1;
    if (end > 0 && first <= (joined[end] as number) + 1) joined[end] = Math.max(joined[end] as number, last);
    else joined.push(first, last);
  }
  return joined;
}

export function negateUnits(set: UnitSet): UnitSet {
  const rest: number[] = [];
  let next = 0;
  for (let at = 0; at < set.length; at += 2) {
    if ((set[at] as number) > next) rest.push(next, (set[at] as number) - 1);
    next = (set[at + 1] as number) + 1;
  }
  if (next <= lastUnit) rest.push(next, lastUnit);
  return rest;
}

export function hasUnit(set: UnitSet, unit: number): boolean {
  let low = 0;
  let high = set.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((set[middle * 2 + 1] as number) < unit) low = middle + 1;
    else high = middle;
  }
  return low * 2 < set.length && (set[low * 2] as number) <= unit;
}

const categories = new Map<string, UnitSet>();

/** The units of a Unicode class, written as in JavaScript: `\p{Nd}`, `[\p{L}\p{Mn}]`. */
export function categoryUnits(source: string): UnitSet {
  const known = categories.get(source);
  if (known !== undefined) return known;
  const member = new RegExp(`^${source}$`, "u");
  const ranges: number[] = [];
  for (let unit = 0; unit <= lastUnit; unit++) {
    if (!member.test(String.fromCharCode(unit))) continue;
    if (ranges.at(-1) === unit - 1) ranges[ranges.length - 1] = unit;
    else ranges.push(unit, unit);
  }
  categories.set(source, ranges);
  return ranges;
}

export const newlineSet: UnitSet = [10, 10];
export const exceptNewline: UnitSet = negateUnits(newlineSet);
export const digitUnits = (): UnitSet => categoryUnits("\\p{Nd}");
export const wordUnits = (): UnitSet => categoryUnits("[\\p{L}\\p{Mn}\\p{Nd}\\p{Pc}]");
export const spaceUnits = (): UnitSet => categoryUnits("[\\t-\\r\\x85\\p{Z}]");
/** What `\b` takes for part of a word: also U+200C and U+200D. */
export const boundaryUnits = (): UnitSet => createUnitSet([...wordUnits(), 0x200c, 0x200d]);

let foldings: ReadonlyMap<number, readonly number[]> | undefined;

/** Units with the same lower case, by each that has others. */
function readFoldings(): ReadonlyMap<number, readonly number[]> {
  if (foldings !== undefined) return foldings;
  const byLower = new Map<string, number[]>();
  for (let unit = 0; unit <= lastUnit; unit++) {
    const text = String.fromCharCode(unit);
    const lower = text.toLowerCase();
    const key = lower.length === 1 ? lower : text;
    const same = byLower.get(key);
    if (same === undefined) byLower.set(key, [unit]);
    else same.push(unit);
  }
  const found = new Map<number, readonly number[]>();
  for (const units of byLower.values())
    if (units.length > 1) for (const unit of units) found.set(unit, units);
  foldings = found;
  return found;
}

/** Adds everything that is equal without regard to case. */
export function foldUnits(set: UnitSet): UnitSet {
  const ranges = [...set];
  for (const [unit, same] of readFoldings()) {
    if (hasUnit(set, unit)) for (const other of same) ranges.push(other, other);
  }
  return createUnitSet(ranges);
}

/** As foldUnits, of one unit. */
export function foldUnit(unit: number): UnitSet {
  return createUnitSet((readFoldings().get(unit) ?? [unit]).flatMap((other) => [other, other]));
}
