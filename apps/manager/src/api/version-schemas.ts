import * as z from "zod";
import type { ProjectParams } from "./auth.ts";
import { itemSummary, problemFields, wholeItem } from "./item-schemas.ts";

const version = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER);
const limit = z.coerce.number().int().min(1).max(1_000).default(100);
const cursor = z.coerce.number().int().min(0);

interface VersionParams extends ProjectParams {
  readonly version: number;
}

/* What is asked. */
const params = z.object({ ns: z.string(), prj: z.string(), version });
export const versionParams: z.ZodType<VersionParams> = params;
export const versionItemParams: z.ZodType<VersionParams & { readonly id: number }> = params.extend({
  id: version,
});
export const versionListQuery: z.ZodType<{ readonly limit: number; readonly cursor?: number | undefined }> =
  z.object({ limit, cursor: cursor.optional() });
export const changeListQuery: z.ZodType<{ readonly limit: number; readonly cursor: number }> = z.object({
  limit,
  cursor: cursor.default(0),
});

/** `to` is the current version where it is missing. */
export const differenceQuery: z.ZodType<{
  readonly from: number;
  readonly to?: number | undefined;
  readonly limit: number;
  readonly cursor: number;
}> = z.object({ from: version, to: version.optional(), limit, cursor: cursor.default(0) });

/** The drafts to publish; all of them where it is missing. */
export const publishBody: z.ZodType<{ readonly ids?: number[] | undefined } | null | undefined> = z
  .strictObject({ ids: z.array(z.int().min(1)).min(1).max(10_000).optional() })
  .nullish();

/* What is answered. */
const counts = z.object({ created: z.number(), updated: z.number(), deleted: z.number() });
const made = z.object({ version: z.number(), hash: z.string(), redirects: counts, pages: counts });
const versionView = made.extend({
  action: z.enum(["CREATE", "PUBLISH", "RESTORE", "TRUNCATE"]),
  restored: z.number().optional(),
  publishedAt: z.string(),
  publishedBy: z.string(),
});
const difference = z.object({
  id: z.number(),
  kind: z.enum(["redirect", "page"]),
  change: z.enum(["CREATE", "UPDATE", "DELETE"]),
});
type Answer = "version" | "versions" | "differences" | "difference" | "published" | "truncated";
export const versionAnswers: Readonly<Record<Answer, z.ZodType>> = {
  version: versionView,
  versions: z.object({ items: z.array(versionView), next: z.number().optional() }),
  differences: z.object({
    from: z.number(),
    to: z.number(),
    items: z.array(difference.extend({ before: itemSummary.optional(), after: itemSummary.optional() })),
    next: z.number().optional(),
  }),
  difference: difference.extend({ before: wholeItem.optional(), after: wholeItem.optional() }),
  published: made.extend({
    warningCount: z.number(),
    warnings: z.array(z.object({ id: z.number(), source: z.string(), ...problemFields })),
  }),
  truncated: z.object({
    version: z.number(),
    hash: z.string(),
    published: z.number(),
    drafts: z.number(),
  }),
};
