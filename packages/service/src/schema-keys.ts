import type * as z from "zod";

type Definition = z.core.$ZodTypeDef & {
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly out?: z.core.$ZodType;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly options?: readonly z.core.$ZodType[];
  readonly getter?: () => z.core.$ZodType;
};

const define = (schema: z.core.$ZodType): Definition => schema._zod.def as Definition;

/** The keys that a schema knows at a path: what an unknown key there was probably meant to be. */
export function schemaKeys(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  let here = unwrap(schema);
  for (const step of path) {
    here = here.flatMap((one) => {
      const { shape, element, valueType } = define(one);
      const inner = shape ? shape[String(step)] : (element ?? valueType);
      return inner ? unwrap(inner) : [];
    });
  }
  return [...new Set(here.flatMap((one) => Object.keys(define(one).shape ?? {})))];
}

/** The schemas that stand behind optional, default, transform, lazy, union, and both ends of a pipe. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { innerType, in: input, out, options, getter } = define(schema);
  if (options) return options.flatMap(unwrap);
  if (input && out) return [...unwrap(input), ...unwrap(out)];
  const inner = innerType ?? getter?.();
  return inner ? unwrap(inner) : [schema];
}
