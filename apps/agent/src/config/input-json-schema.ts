import * as z from "zod";

/** For editors and the reference, which cannot see beyond a union. */
export function inputJsonSchema(schema: z.ZodType): object {
  const { $schema, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}
