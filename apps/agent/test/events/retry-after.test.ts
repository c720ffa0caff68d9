import { expect, it } from "vitest";
import { parseRetryAfter } from "../../src/events/sinks/retry-after.ts";

const now = Date.parse("2026-11-21T20:00:00Z");

it.each([
  ["3", 3000],
  ["0", 0],
  [" 7 ", 7000],
  [["2", "9"], 2000],
  ["Sat, 21 Nov 2026 20:00:05 GMT", 5000],
  ["Sat, 21 Nov 2026 19:00:00 GMT", 0],
  ["86400", 600_000],
  ["99999999999999999999", 600_000],
  ["soon", undefined],
  ["", undefined],
  [undefined, undefined],
])("Retry-After: %s", (value, ms) => {
  expect(parseRetryAfter(value as string, now)).toBe(ms);
});
