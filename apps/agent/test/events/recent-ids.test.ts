import { hash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { RecentIds } from "../../src/events/recent-ids.ts";

it("knows at least the last ids, and no more than twice as many", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 30 })), fc.integer({ min: 1, max: 10 }), (ids, size) => {
      const recent = new RecentIds(size);
      for (const [at, id] of ids.entries()) {
        const before = ids.slice(0, at);
        const isKnown = recent.see(idOf(id));
        const distinct = new Set(before.toReversed().slice(0, before.toReversed().indexOf(id)));
        if (!before.includes(id)) expect(isKnown).toBe(false);
        else if (distinct.size < size) expect(isKnown).toBe(true);
        else if (distinct.size >= 2 * size) expect(isKnown).toBe(false);
      }
    }),
    { numRuns: 500 },
  );
});

it("tells many apart", () => {
  const recent = new RecentIds(20_000);
  const known = (from: number): number =>
    Array.from({ length: 20_000 }, (_, at) => recent.see(idOf(from + at))).filter(Boolean).length;
  expect([known(0), known(0), known(20_000), known(10_000), known(80_000)]).toEqual([
    0, 20_000, 0, 10_000, 0,
  ]);
});

const idOf = (id: number): string => hash("sha256", String(id), "base64url").slice(0, 22);
