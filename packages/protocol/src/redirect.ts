import * as z from "zod";

export const redirectTypes = ["BASIC", "BASIC_HOST", "REGEX", "REGEX_HOST"] as const;
export type RedirectType = (typeof redirectTypes)[number];

/** Flecto's names of the four redirect codes. */
export const redirectStatuses = {
  MOVED_PERMANENT: 301,
  FOUND: 302,
  TEMPORARY_REDIRECT: 307,
  PERMANENT_REDIRECT: 308,
} as const;
export type RedirectStatus = keyof typeof redirectStatuses;
export type RedirectCode = (typeof redirectStatuses)[RedirectStatus];
export const redirectStatusNames: readonly RedirectStatus[] = Object.keys(
  redirectStatuses,
) as RedirectStatus[];

/** A redirect as it travels. What its fields may hold is checked by `@posthouse/rules`. */
export interface Redirect {
  readonly type: RedirectType;
  readonly source: string;
  readonly target: string;
  readonly status: RedirectStatus;
}

export const redirectSchema: z.ZodType<Redirect> = z.strictObject({
  type: z.enum(redirectTypes),
  source: z.string().max(600),
  target: z.string().max(2048),
  status: z.enum(redirectStatusNames as [RedirectStatus, ...RedirectStatus[]]),
});
