import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reconnectDelayMs } from "../../src/events/reconnect.ts";

describe("the wait before a broker is asked again", () => {
  it("grows from a quarter of a second to half a minute, and is never the same for all", () => {
    const random = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(fc.nat(), random, (round, part) => {
        const delay = reconnectDelayMs(round, () => part);
        const most = Math.min(30_000, 500 * 2 ** Math.min(round, 10));
        expect(delay).toBeGreaterThanOrEqual(most / 2);
        expect(delay).toBeLessThanOrEqual(most);
      }),
    );
    expect(reconnectDelayMs(3, () => 0)).not.toBe(reconnectDelayMs(3, () => 0.9));
  });
});
