import * as z from "zod";

export const pageTypes = ["BASIC", "BASIC_HOST"] as const;
export type PageType = (typeof pageTypes)[number];

export const pageContentTypes = { TEXT_PLAIN: "text/plain", XML: "application/xml" } as const;
export type PageContentType = keyof typeof pageContentTypes;

/** A small document that an agent serves itself, such as robots.txt. */
export interface Page {
  readonly type: PageType;
  readonly path: string;
  readonly content: string;
  readonly contentType: PageContentType;
}

export const pageSchema: z.ZodType<Page> = z.strictObject({
  type: z.enum(pageTypes),
  path: z.string().max(600),
  content: z.string(),
  contentType: z.enum(Object.keys(pageContentTypes) as [PageContentType, ...PageContentType[]]),
});
