import { expect, test } from "vitest";
import { flagsSchema } from "../../src/config/flags.ts";

test("another limit that is set leaves room for 50,000 connections", () => {
  const flags = flagsSchema.parse({ mode: "manual", api_key: "rp-this-agent", limits: { headers: 100 } });
  expect(flags.limits).toMatchObject({ headers: 100, connections: 50_000 });
});
