import * as z from "zod";
import { type Page, pageSchema } from "./page.ts";
import { type Redirect, redirectSchema } from "./redirect.ts";

/** One published thing of a project. Ids grow from 1 inside a project and are shared by both kinds. */
export type RedirectItem = { readonly id: number; readonly kind: "redirect" } & Redirect;
export type PageItem = { readonly id: number; readonly kind: "page" } & Page;
export type Item = RedirectItem | PageItem;

/** What happened to one item between two versions. */
export type Change = Item | { readonly id: number; readonly deleted: true };

const idSchema = z.int().min(1).max(0xffff_ffff);
const redirectLine = (redirectSchema as unknown as z.ZodObject).extend({
  id: idSchema,
  kind: z.literal("redirect"),
});
const pageLine = (pageSchema as unknown as z.ZodObject).extend({ id: idSchema, kind: z.literal("page") });
export const itemSchema: z.ZodType<Item> = z.discriminatedUnion("kind", [
  redirectLine,
  pageLine,
]) as unknown as z.ZodType<Item>;
export const deletionSchema: z.ZodType<{ readonly id: number; readonly deleted: true }> = z.strictObject({
  id: idSchema,
  deleted: z.literal(true),
});

/** The canonical line of an item, without newline: compact JSON with keys in this order. Its SHA-256 is the item's hash. */
export function formatItem(item: Item): string {
  return item.kind === "redirect"
    ? `{"id":${item.id},"kind":"redirect","type":"${item.type}","source":${JSON.stringify(item.source)},"target":${JSON.stringify(item.target)},"status":"${item.status}"}`
    : `{"id":${item.id},"kind":"page","type":"${item.type}","path":${JSON.stringify(item.path)},"content":${JSON.stringify(item.content)},"contentType":"${item.contentType}"}`;
}
