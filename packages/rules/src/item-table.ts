import {
  type Item,
  type PageContentType,
  type PageItem,
  pageContentTypes,
  pageTypes,
  type RedirectItem,
  redirectStatusNames,
  redirectTypes,
} from "@posthouse/protocol";
import type { Problem } from "./problem.ts";

/**
 * Items by id, 256 ids to a leaf; what another owner made is copied before it is changed. A leaf keeps the texts of its
 * items in rows rather than the items, which are made again when they are asked for: a third of the memory, and next
 * to nothing for the garbage collector to walk through.
 */
export type ItemTable = Map<number, ItemLeaf>;

interface ItemLeaf {
  readonly owner: object;
  /** (id & 255) << 8 | shape, ascending. */
  readonly keys: number[];
  /** A redirect's source, a page's path; or a whole item of no known shape. */
  readonly names: (string | Item)[];
  /** A redirect's target, a page's content. */
  readonly values: string[];
  problems: readonly Problem[];
}

const contentTypes = Object.keys(pageContentTypes) as PageContentType[];

/** Everything of an item but its id and texts. The index is what a leaf keeps. */
const shapes = [
  ...redirectTypes.flatMap((type) =>
    redirectStatusNames.map((status) => ({ kind: "redirect", type, status }) as const),
  ),
  ...pageTypes.flatMap((type) =>
    contentTypes.map((contentType) => ({ kind: "page", type, contentType }) as const),
  ),
];
const pageShapes = redirectTypes.length * redirectStatusNames.length;
const wholeItem = 255;

export function getItem(table: ItemTable, id: number): Item | undefined {
  const leaf = table.get(id >>> 8);
  if (leaf === undefined) return undefined;
  const row = findRow(leaf.keys, id);
  return isRowOf(leaf.keys[row], id) ? readRow(leaf, row, id) : undefined;
}

/** Tells whether the item is there and its source or path is `start` followed by `end`. */
export function isNamed(table: ItemTable, id: number, start: string, end: string): boolean {
  const leaf = table.get(id >>> 8);
  const known = leaf?.names[findRow(leaf.keys, id)];
  const name = typeof known === "object" ? nameOf(known) : known;
  return (
    name !== undefined &&
    name.length === start.length + end.length &&
    name.startsWith(start) &&
    name.endsWith(end)
  );
}

/** Problems found with one item. */
export function getProblems(table: ItemTable, id: number): readonly Problem[] {
  const problems = table.get(id >>> 8)?.problems ?? noProblems;
  return problems.length === 0 ? problems : problems.filter(({ itemId }) => itemId === id);
}

export function putItem(table: ItemTable, item: Item, problems: readonly Problem[], owner: object): void {
  const leaf = ownLeaf(table, item.id >>> 8, owner);
  const row = findRow(leaf.keys, item.id);
  const there = isRowOf(leaf.keys[row], item.id) ? 1 : 0;
  const shape = shapeOf(item);
  const key = ((item.id & 255) << 8) | shape;
  const name = shape === wholeItem ? item : nameOf(item);
  const value = item.kind === "page" ? item.content : item.target;
  if (row === leaf.keys.length) {
    leaf.keys.push(key);
    leaf.names.push(name);
    leaf.values.push(value);
  } else {
    leaf.keys.splice(row, there, key);
    leaf.names.splice(row, there, name);
    leaf.values.splice(row, there, value);
  }
  replaceProblems(leaf, item.id, problems);
}

export function deleteItem(table: ItemTable, id: number, owner: object): void {
  const leaf = ownLeaf(table, id >>> 8, owner);
  const row = findRow(leaf.keys, id);
  for (const column of [leaf.keys, leaf.names, leaf.values]) column.splice(row, 1);
  replaceProblems(leaf, id, noProblems);
  if (leaf.keys.length === 0) table.delete(id >>> 8);
}

export function* listItems(table: ItemTable): IterableIterator<Item> {
  for (const page of sortedKeys(table)) {
    const leaf = table.get(page);
    for (const [row, key] of leaf?.keys.entries() ?? []) {
      if (leaf !== undefined) yield readRow(leaf, row, page * 256 + (key >> 8));
    }
  }
}

export function listProblems(table: ItemTable): readonly Problem[] {
  return sortedKeys(table).flatMap((key) => table.get(key)?.problems ?? []);
}

function shapeOf(item: Item): number {
  const shape = item.kind === "page" ? pageShape(item) : redirectShape(item);
  return shape < 0 || Object.keys(item).length !== 6 ? wholeItem : shape;
}

function redirectShape({ type, status }: RedirectItem): number {
  const [first, second] = [redirectTypes.indexOf(type), redirectStatusNames.indexOf(status)];
  return first < 0 || second < 0 ? -1 : first * redirectStatusNames.length + second;
}

function pageShape({ type, contentType }: PageItem): number {
  const [first, second] = [pageTypes.indexOf(type), contentTypes.indexOf(contentType)];
  return first < 0 || second < 0 ? -1 : pageShapes + first * contentTypes.length + second;
}

function nameOf(item: Item): string {
  return item.kind === "page" ? item.path : item.source;
}

function readRow(leaf: ItemLeaf, row: number, id: number): Item {
  const name = leaf.names[row] ?? "";
  if (typeof name === "object") return name;
  const value = leaf.values[row] ?? "";
  const shape = shapes[(leaf.keys[row] ?? 0) & 255] ?? shapes[0];
  if (shape?.kind === "page") {
    const { type, contentType } = shape;
    return { id, kind: "page", type, path: name, content: value, contentType };
  }
  const { type = "BASIC", status = "FOUND" } = shape ?? {};
  return { id, kind: "redirect", type, source: name, target: value, status };
}

function sortedKeys(table: ItemTable): number[] {
  return [...table.keys()].sort((a, b) => a - b);
}

function ownLeaf(table: ItemTable, key: number, owner: object): ItemLeaf {
  const leaf = table.get(key);
  if (leaf?.owner === owner) return leaf;
  const copy: ItemLeaf = {
    owner,
    keys: [...(leaf?.keys ?? [])],
    names: [...(leaf?.names ?? [])],
    values: [...(leaf?.values ?? [])],
    problems: leaf?.problems ?? noProblems,
  };
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

/** The first row whose id is not smaller. */
function findRow(keys: readonly number[], id: number): number {
  const wanted = (id & 255) << 8;
  const last = keys.length - 1;
  if (last < 0 || (keys[last] ?? 0) < wanted) return keys.length;
  let low = 0;
  let high = last;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? 0) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isRowOf(key: number | undefined, id: number): boolean {
  return key !== undefined && key >> 8 === (id & 255);
}
