/**
 * Flags and segments as FeatBit sends them (2.6). Lists hold unknown pieces, which are read one by one, so that a
 * broken one does not take the others with it. What upstream always sends, but evaluation can do without, may be absent.
 */
import * as z from "zod";
import { parseTimestamp } from "./timestamp.ts";

type Absent = null | undefined;

interface WireFlag {
  readonly id: string;
  readonly envId: string;
  readonly key: string;
  readonly variationType?: string | Absent;
  readonly variations: readonly unknown[];
  readonly targetUsers?: readonly unknown[] | Absent;
  readonly rules?: readonly unknown[] | Absent;
  readonly isEnabled: boolean;
  readonly disabledVariationId?: string | Absent;
  readonly fallthrough: WireServing;
  readonly exptIncludeAllTargets?: boolean | Absent;
  /** In ms. */
  readonly updatedAt: number;
  readonly isArchived?: boolean | Absent;
}

interface WireSegment {
  readonly id: string;
  readonly envId: string;
  readonly included?: readonly string[] | Absent;
  readonly excluded?: readonly string[] | Absent;
  readonly rules?: readonly unknown[] | Absent;
  /** In ms. */
  readonly updatedAt: number;
}

/** A rule's or the fallthrough's variations. */
export interface WireServing {
  readonly dispatchKey?: string | Absent;
  readonly includedInExpt?: boolean | Absent;
  readonly variations: readonly WireRollout[];
}

interface WireRollout {
  readonly id: string;
  readonly rollout: readonly [min: number, max: number];
  readonly exptRollout?: number | Absent;
}

interface WireRule extends WireServing {
  readonly name?: string | Absent;
  readonly conditions: readonly unknown[];
}

export interface WireCondition {
  readonly property?: string | Absent;
  readonly op?: string | Absent;
  readonly value?: string | Absent;
}

const pieces = z.array(z.unknown());

const timestamp = z.string().transform((text, context): number => {
  const time = parseTimestamp(text);
  if (time !== undefined) return time;
  context.addIssue({ code: "custom", message: "expected a date and time" });
  return z.NEVER;
});

const serving = z.object({
  dispatchKey: z.string().nullish(),
  includedInExpt: z.boolean().nullish(),
  variations: z.array(
    z.object({
      id: z.string(),
      rollout: z.tuple([z.number(), z.number()]),
      exptRollout: z.number().nullish(),
    }),
  ),
});

export const flagSchema: z.ZodType<WireFlag> = z.object({
  id: z.string(),
  envId: z.string(),
  key: z.string(),
  variationType: z.string().nullish(),
  variations: pieces,
  targetUsers: pieces.nullish(),
  rules: pieces.nullish(),
  isEnabled: z.boolean(),
  disabledVariationId: z.string().nullish(),
  fallthrough: serving,
  exptIncludeAllTargets: z.boolean().nullish(),
  updatedAt: timestamp,
  isArchived: z.boolean().nullish(),
});

export const variationSchema: z.ZodType<{ readonly id: string; readonly value: string }> = z.object({
  id: z.string(),
  value: z.string(),
});

export const targetSchema: z.ZodType<{ readonly keyIds: readonly string[]; readonly variationId: string }> =
  z.object({ keyIds: z.array(z.string()), variationId: z.string() });

export const ruleSchema: z.ZodType<WireRule> = serving.extend({
  name: z.string().nullish(),
  conditions: pieces,
});

export const conditionSchema: z.ZodType<WireCondition> = z.object({
  property: z.string().nullish(),
  op: z.string().nullish(),
  value: z.string().nullish(),
});

export const segmentRuleSchema: z.ZodType<{ readonly conditions: readonly unknown[] }> = z.object({
  conditions: pieces,
});

export const segmentSchema: z.ZodType<WireSegment> = z.object({
  id: z.string(),
  envId: z.string(),
  included: z.array(z.string()).nullish(),
  excluded: z.array(z.string()).nullish(),
  rules: pieces.nullish(),
  updatedAt: timestamp,
});

/** The first thing wrong: where below `path`, and what. */
export function describeFailure(path: string, error: z.ZodError): { path: string; reason: string } {
  const [issue] = error.issues;
  const below = (issue?.path ?? []).map((part) =>
    typeof part === "number" ? `[${part}]` : `.${String(part)}`,
  );
  return { path: path + below.join(""), reason: issue?.message ?? "it cannot be read" };
}
