import { describe, expect, it } from "vitest";
import { compare, interleave, median } from "../rounds.ts";

describe("rounds", () => {
  it("alternate between the two sides", async () => {
    const order: string[] = [];
    const side = (name: string) => async (round: number) => {
      order.push(`${name}${round}`);
      return { cpu: round };
    };
    const figures = await interleave(2, side("ours"), side("peer"));
    expect(order).toEqual(["ours1", "peer1", "ours2", "peer2"]);
    expect(figures.ours).toEqual([{ cpu: 1 }, { cpu: 2 }]);
  });

  it("are compared by the median of their ratios, which a slow spell of the machine leaves alone", () => {
    const ours = [{ cpu: 20 }, { cpu: 60 }, { cpu: 22 }];
    const peer = [{ cpu: 10 }, { cpu: 30 }, { cpu: 10 }];
    expect([...compare("agent", ours, peer)]).toEqual([
      { case: "agent", metric: "cpu", ours: 22, peer: 10, ratio: 2 },
    ]);
  });

  it("have a median of odd and even numbers of values, and none of nothing", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});
