import * as z from "zod";

/** What `/hits` may be asked. */
export interface HitsQuery {
  readonly project: string;
  readonly limit: number;
  readonly order: "most" | "least" | "recent" | "id";
}

export const hitsQuerySchema: z.ZodType<HitsQuery> = z.strictObject({
  project: z.string("name a project: /hits?project=NAME"),
  limit: z.coerce.number().pipe(z.int().min(1).max(10_000)).default(100),
  order: z.enum(["most", "least", "recent", "id"]).default("most"),
});
