import { expect, test } from "vitest";
import { startFlags } from "./harness.ts";

test("a path with a slash at its end is the path without", async () => {
  await using flags = await startFlags();
  const status = async (method: string, path: string): Promise<number> =>
    (await fetch(flags.url + path, { method })).status;
  expect(await status("POST", "/api/public/insight/track/")).toBe(200);
  expect(await status("GET", "/health/liveness/")).toBe(200);
  expect(await status("GET", "/")).toBe(404);
});
