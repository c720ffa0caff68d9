import * as z from "zod";

/** A flag, a user, and what the user must get; or that one of the flag's conditions cannot be evaluated. */
export interface EvaluationVector {
  readonly id: string;
  readonly title: string;
  readonly flag: Readonly<Record<string, unknown>>;
  readonly segments: readonly unknown[];
  readonly user: unknown;
  readonly expect?: Readonly<Record<string, unknown>> | undefined;
  readonly expectError?: string | undefined;
  readonly hash?: { readonly dispatchKey: string; readonly rollout: number } | undefined;
}

export interface HashVector {
  readonly key: string;
  readonly rollout: number;
}

/** A connection token with what it holds, or one that is not valid. */
export interface TokenVector {
  readonly token: string;
  readonly valid: boolean;
  readonly position?: number | undefined;
  readonly contentLength?: number | undefined;
  readonly timestamp?: number | undefined;
  readonly secret?: string | undefined;
  readonly envId?: string | undefined;
}

export interface FeatBitVectors {
  readonly hashes: readonly HashVector[];
  readonly tokens: readonly TokenVector[];
  readonly cases: readonly EvaluationVector[];
  /** Anything else is left out, and counted. */
  readonly [section: string]: unknown;
}

const evaluation = z
  .object({
    id: z.string(),
    title: z.string(),
    flag: z.record(z.string(), z.unknown()),
    segments: z.array(z.unknown()),
    user: z.unknown(),
    expect: z.record(z.string(), z.unknown()).optional(),
    expectError: z.string().optional(),
    hash: z.object({ dispatchKey: z.string(), rollout: z.number() }).optional(),
  })
  .refine(
    ({ expect, expectError }) => (expect === undefined) !== (expectError === undefined),
    "either expect or expectError is needed",
  );

const token = z.object({
  token: z.string(),
  valid: z.boolean(),
  position: z.number().optional(),
  contentLength: z.number().optional(),
  timestamp: z.number().optional(),
  secret: z.string().optional(),
  envId: z.string().optional(),
});

export const vectorsSchema: z.ZodType<FeatBitVectors> = z.looseObject({
  hashes: z.array(z.object({ key: z.string(), rollout: z.number() })).default([]),
  tokens: z.array(token).default([]),
  cases: z.array(evaluation).default([]),
});
