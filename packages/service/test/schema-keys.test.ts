import { expect, it } from "vitest";
import * as z from "zod";
import { schemaKeys } from "../src/schema-keys.ts";

it("knows the keys behind a union that a pipe leads to", () => {
  const full = z.strictObject({ upstreams: z.array(z.string()), tls: z.strictObject({ ca: z.string() }) });
  const schema = z.strictObject({
    forward: z
      .union([z.string().transform((url) => ({ upstreams: [url] })), z.looseObject({})])
      .pipe(full)
      .optional(),
  });
  expect(schemaKeys(schema, ["forward"])).toEqual(["upstreams", "tls"]);
  expect(schemaKeys(schema, ["forward", "tls"])).toEqual(["ca"]);
});

it("names a key once that two branches of a union have", () => {
  const schema = z.union([z.object({ a: z.string() }), z.object({ a: z.number(), b: z.string() })]);
  expect(schemaKeys(schema, [])).toEqual(["a", "b"]);
});
