import type * as z from "zod";
import { describeFailure } from "./schema.ts";

/** Reads the pieces of a list one by one; a broken one is reported and left out. */
export function readPieces<T>(
  inputs: readonly unknown[] | null | undefined,
  path: string,
  schema: z.ZodType<T>,
  report: (path: string, values: { readonly reason: string }) => void,
): T[] {
  const pieces: T[] = [];
  for (const [index, input] of (inputs ?? []).entries()) {
    const result = schema.safeParse(input);
    if (result.success) pieces.push(result.data);
    else {
      const failure = describeFailure(`${path}[${index}]`, result.error);
      report(failure.path, { reason: failure.reason });
    }
  }
  return pieces;
}
