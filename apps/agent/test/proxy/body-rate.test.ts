import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bodyDeadline } from "../../src/proxy/body-rate.ts";

const rate = { minBodyBytesPerSecond: 500, clientMs: 10_000 };

/** When a body that comes in such pieces, each so many ms after the one before, is cut; undefined if it never is. */
function cutAfter(
  pieces: readonly { readonly afterMs: number; readonly bytes: number }[],
): number | undefined {
  let now = 0;
  let deadline = Number.POSITIVE_INFINITY;
  for (const { afterMs, bytes } of pieces) {
    if (deadline <= now + afterMs) return deadline;
    now += afterMs;
    deadline = bodyDeadline(deadline, bytes, now, rate);
  }
  return undefined;
}

describe("the rate that a body must keep", () => {
  it("lets everything through that keeps it, in whatever pieces", () => {
    const pieces = fc.array(fc.integer({ min: 0, max: 9_999 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(pieces, (gaps) => {
        const kept = gaps.map((afterMs) => ({ afterMs, bytes: Math.ceil(afterMs / 2) }));
        expect(cutAfter(kept)).toBeUndefined();
      }),
    );
  });

  it("cuts what does not, whatever it sent before, and not before its time", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1e9 }),
        fc.integer({ min: 1, max: 9_000 }),
        fc.double({ min: 0, max: 0.9, noNaN: true }),
        (first, afterMs, share) => {
          const bytes = Math.floor((afterMs / 2) * share);
          const trickle = Array.from({ length: 200_000 }, () => ({ afterMs, bytes }));
          const at = cutAfter([{ afterMs: 0, bytes: first }, ...trickle]);
          expect(at).toBeGreaterThanOrEqual(rate.clientMs);
          expect(at).toBeLessThanOrEqual(rate.clientMs / (1 - share) + 1);
        },
      ),
      { numRuns: 30 },
    );
  });

  it("is not asked for with 0", () => {
    expect(bodyDeadline(0, 1, 0, { ...rate, minBodyBytesPerSecond: 0 })).toBe(Number.POSITIVE_INFINITY);
  });
});
