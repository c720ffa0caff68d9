/** A page of a list, made of one row more than it shows: when that one is there, `next` is where to go on. */
export function pageOf<Row, View, Next>(
  rows: readonly Row[],
  limit: number,
  view: (row: Row) => View,
  nextOf: (last: Row) => Next,
): { items: View[]; next?: Next } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(view), ...(rows.length > limit && last ? { next: nextOf(last) } : {}) };
}
