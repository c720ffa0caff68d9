import type { Item } from "@posthouse/protocol";
import type { Problem } from "./problem.ts";

/** Items by id, 256 ids to a leaf; what another owner made is copied before it is changed. */
export type ItemTable = Map<number, ItemLeaf>;

interface ItemLeaf {
  readonly owner: object;
  /** In id order. */
  readonly items: Item[];
  problems: readonly Problem[];
}

export function getItem(table: ItemTable, id: number): Item | undefined {
  const items = table.get(id >>> 8)?.items;
  if (items === undefined) return undefined;
  const found = items[findIndex(items, id)];
  return found?.id === id ? found : undefined;
}

/** Problems found with one item. */
export function getProblems(table: ItemTable, id: number): readonly Problem[] {
  return table.get(id >>> 8)?.problems.filter(({ itemId }) => itemId === id) ?? [];
}

export function putItem(table: ItemTable, item: Item, problems: readonly Problem[], owner: object): void {
  const leaf = ownLeaf(table, item.id >>> 8, owner);
  const last = leaf.items.at(-1);
  if (last === undefined || last.id < item.id) leaf.items.push(item);
  else {
    const index = findIndex(leaf.items, item.id);
    leaf.items.splice(index, leaf.items[index]?.id === item.id ? 1 : 0, item);
  }
  replaceProblems(leaf, item.id, problems);
}

export function deleteItem(table: ItemTable, id: number, owner: object): void {
  const leaf = ownLeaf(table, id >>> 8, owner);
  leaf.items.splice(findIndex(leaf.items, id), 1);
  replaceProblems(leaf, id, []);
  if (leaf.items.length === 0) table.delete(id >>> 8);
}

export function* listItems(table: ItemTable): IterableIterator<Item> {
  for (const key of sortedKeys(table)) yield* table.get(key)?.items ?? [];
}

export function listProblems(table: ItemTable): readonly Problem[] {
  return sortedKeys(table).flatMap((key) => table.get(key)?.problems ?? []);
}

function sortedKeys(table: ItemTable): number[] {
  return [...table.keys()].sort((a, b) => a - b);
}

function ownLeaf(table: ItemTable, key: number, owner: object): ItemLeaf {
  const leaf = table.get(key);
  if (leaf?.owner === owner) return leaf;
  const copy: ItemLeaf = { owner, items: [...(leaf?.items ?? [])], problems: leaf?.problems ?? noProblems };
  table.set(key, copy);
  return copy;
}

const noProblems: readonly Problem[] = [];

function replaceProblems(leaf: ItemLeaf, id: number, problems: readonly Problem[]): void {
  if (leaf.problems.length === 0 && problems.length === 0) return;
  const rest = leaf.problems.filter(({ itemId }) => itemId !== id);
  const after = rest.findIndex(({ itemId }) => (itemId ?? 0) > id);
  rest.splice(after < 0 ? rest.length : after, 0, ...problems);
  leaf.problems = rest;
}

function findIndex(items: readonly Item[], id: number): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((items[middle]?.id ?? 0) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
