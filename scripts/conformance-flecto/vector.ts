import * as z from "zod";

const rule = z.record(z.string(), z.string());
const expectation = z.looseObject({ kind: z.string() }).nullable();
const request = z.looseObject({ host: z.string(), uri: z.string(), method: z.string().default("GET") });
const shared = {
  name: z.string(),
  redirects: z.array(rule),
  pages: z.array(rule),
  expect: expectation,
  /** What a matcher without Flecto's prefix index finds, where that differs. */
  expect_plain_regex: expectation.optional(),
  /** Why it differs. */
  divergence: z.string().optional(),
  debug: z.boolean().default(false),
  config: z.record(z.string(), z.unknown()).default({}),
};

/** One case of a vector file; unknown keys say how it came about. */
export const vectorSchema: z.ZodType<Vector> = z.discriminatedUnion("level", [
  z.looseObject({ ...shared, level: z.enum(["match", "http", "host_select"]), request }),
  z.looseObject({
    ...shared,
    level: z.literal("middleware_config"),
    request: z.null().transform(() => ({ host: "", uri: "/", method: "GET" })),
  }),
]);

export interface Vector {
  readonly name: string;
  readonly level: "match" | "http" | "host_select" | "middleware_config";
  readonly redirects: readonly Readonly<Record<string, string>>[];
  readonly pages: readonly Readonly<Record<string, string>>[];
  readonly request: { readonly host: string; readonly uri: string; readonly method: string };
  readonly expect: Found;
  readonly expect_plain_regex?: Found | undefined;
  readonly divergence?: string | undefined;
  readonly debug: boolean;
  /** Options of Flecto's middleware; `MGR` stands for the Manager's address. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** What was found, in the words of the vector file. */
export type Found = Readonly<Record<string, unknown>> | null;

/** Tells two findings apart whatever the order of their keys; undefined when they are the same. */
export function difference(how: string, expected: Found, found: Found): string | undefined {
  const [left, right] = [normalise(expected), normalise(found)];
  return left === right ? undefined : `${how}: expected ${left}, found ${right}`;
}

/** Go's wording of an error is Go's own affair. */
function normalise(found: Found): string {
  if (found === null) return "null";
  const kept = Object.entries(found).filter(([key]) => key !== "go_error");
  return JSON.stringify(Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1))));
}
