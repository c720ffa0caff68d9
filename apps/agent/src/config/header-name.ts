import * as z from "zod";

/** What frames, routes, authenticates or says who asks cannot hold something of ours as well. */
const taken =
  /^(?:host|content-.*|transfer-encoding|connection|keep-alive|upgrade|te|trailer|expect|via|forwarded|x-forwarded-.*|x-real-ip|cookie|authorization|proxy-.*)$/i;

/** The name of a header that the agent may write to a request. */
export const headerNameSchema: z.ZodType<string> = z
  .string()
  .regex(/^[A-Za-z0-9-]+$/, "expected the name of a header")
  .refine((name) => !taken.test(name), "this header has a meaning of its own; name one such as X-Request-Id");
