import type { Item, Page, Redirect } from "@posthouse/protocol";
import type { ItemColumns, Kind } from "../database/schema.ts";

/** A redirect as the columns of item and draft. */
export function redirectColumns({ type, source, target, status }: Redirect): ItemColumns {
  return { kind: "redirect", type, source, target, status, content: null, content_type: null };
}

/** A page as the columns of item and draft. */
export function pageColumns({ type, path, content, contentType }: Page): ItemColumns {
  return { kind: "page", type, source: path, target: null, status: null, content, content_type: contentType };
}

/** The redirect or page that the columns hold, keys in Flecto's order. */
export function redirectOrPage(columns: ItemColumns): Redirect | Page {
  const { type, source } = columns;
  return columns.kind === "redirect"
    ? ({ type, source, target: columns.target ?? "", status: columns.status } as Redirect)
    : ({ type, path: source, content: columns.content ?? "", contentType: columns.content_type } as Page);
}

/** What lists and the journal show: a page without its content, which may be large. */
export type ItemSummary = Redirect | (Omit<Page, "content"> & { readonly contentSize: number });

/** `contentSize` is the size of a page's content in bytes, where the columns lack the content itself. */
export function summaryOf(columns: ItemColumns, contentSize?: number): ItemSummary {
  const { type, source } = columns;
  if (columns.kind === "redirect")
    return { type, source, target: columns.target ?? "", status: columns.status } as Redirect;
  return {
    type,
    path: source,
    contentType: columns.content_type,
    contentSize: contentSize ?? Buffer.byteLength(columns.content ?? ""),
  } as ItemSummary;
}

/** An item as columns. */
export function columnsOf(item: Item): ItemColumns {
  return item.kind === "redirect" ? redirectColumns(item) : pageColumns(item);
}

/** The item that the columns hold. */
export function itemOf(id: number, columns: ItemColumns): Item {
  return { id, kind: columns.kind, ...redirectOrPage(columns) } as Item;
}

export const itemColumnNames: readonly (keyof ItemColumns)[] = [
  "kind",
  "type",
  "source",
  "target",
  "status",
  "content",
  "content_type",
];

export const kinds: readonly Kind[] = ["redirect", "page"];
