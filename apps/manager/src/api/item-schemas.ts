import { pageSchema, redirectSchema } from "@posthouse/protocol";
import * as z from "zod";

const { content: _, ...pageFields } = (pageSchema as unknown as z.ZodObject).shape;

/** A page in a list: its size instead of its content. */
export const pageSummary: z.ZodType = z.object({ ...pageFields, contentSize: z.number() });
export const itemSummary: z.ZodType = z.union([redirectSchema, pageSummary]);
export const wholeItem: z.ZodType = z.union([redirectSchema, pageSchema]);

/** Something wrong or doubtful with an item, as `@posthouse/rules` tells it. */
export const problemFields: Readonly<
  Record<"code" | "severity" | "message" | "field" | "position" | "hint", z.ZodType>
> = {
  code: z.string(),
  severity: z.enum(["error", "warning"]),
  message: z.string(),
  field: z.string().optional(),
  position: z.number().optional(),
  hint: z.string().optional(),
};
