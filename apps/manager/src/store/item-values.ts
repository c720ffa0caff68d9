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
