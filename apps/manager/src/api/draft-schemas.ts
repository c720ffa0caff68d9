import { pageSchema, redirectSchema, redirectStatusNames, redirectTypes } from "@posthouse/protocol";
import * as z from "zod";
import type { ChangeType } from "../database/schema.ts";
import { draftFilters, type ItemPosition, type ItemSearchQuery, itemOrders } from "../store/item-search.ts";
import { pageSummary, problemFields, wholeItem } from "./item-schemas.ts";

type ItemListQuery = Pick<ItemSearchQuery, "order" | "limit" | "status" | "search" | "draft"> & {
  readonly cursor?: string | undefined;
  readonly type?: readonly string[] | undefined;
};

const limit = z.coerce.number().int().min(1).max(1_000).default(100);

/* What is asked. */
export const itemListQuery: z.ZodType<ItemListQuery> = z.object({
  limit,
  cursor: z.string().max(4_000).optional(),
  order: z.enum(itemOrders).default("id"),
  type: z
    .string()
    .transform((text) => text.split(","))
    .pipe(z.array(z.enum(redirectTypes)).max(4))
    .optional(),
  status: z.enum(redirectStatusNames).optional(),
  draft: z.enum(draftFilters).optional(),
  search: z.string().max(600).optional(),
});

export const draftListQuery: z.ZodType<{
  readonly limit: number;
  readonly cursor: number;
  readonly change?: ChangeType | undefined;
}> = z.object({
  limit,
  cursor: z.coerce.number().int().min(0).default(0),
  change: z.enum(["CREATE", "UPDATE", "DELETE"]).optional(),
});

const positionSchema = z.tuple([z.number(), z.string(), z.number().nullable()]);

export function formatPosition({ id, source, version }: ItemPosition): string {
  return Buffer.from(JSON.stringify([id, source, version])).toString("base64url");
}

/** Undefined when the text is no cursor of ours. */
export function parsePosition(text: string): ItemPosition | undefined {
  try {
    const [id, source, version] = positionSchema.parse(JSON.parse(Buffer.from(text, "base64url").toString()));
    return { id, source, version };
  } catch {
    return undefined;
  }
}

/* What is answered. Pages in lists have `contentSize` instead of their content. */
const change = z.enum(["CREATE", "UPDATE", "DELETE"]);
const draft = z.object({ id: z.number(), kind: z.enum(["redirect", "page"]), change, createdAt: z.string() });
const wholeDraft = draft.extend({ redirect: redirectSchema.optional(), page: pageSchema.optional() });
const item = z.looseObject({ id: z.number(), draft: change.nullable(), version: z.number().optional() });

type Answer = "item" | "items" | "draft" | "savedRedirect" | "draftDetail" | "drafts" | "discarded";
export const draftAnswers: Readonly<Record<Answer, z.ZodType>> = {
  item,
  items: z.object({ items: z.array(item), next: z.string().optional() }),
  draft: z.object({ draft: wholeDraft }),
  savedRedirect: z.object({ draft: wholeDraft, warnings: z.array(z.object(problemFields)) }),
  draftDetail: z.object({
    draft: wholeDraft,
    published: wholeItem.optional(),
  }),
  drafts: z.object({
    items: z.array(draft.extend({ redirect: redirectSchema.optional(), page: pageSummary.optional() })),
    next: z.number().optional(),
  }),
  discarded: z.object({
    discarded: z.object({ create: z.number(), update: z.number(), delete: z.number() }),
  }),
};
