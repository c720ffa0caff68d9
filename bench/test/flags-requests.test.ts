import { needPackage } from "@posthouse/testkit/services";
import { expect, it } from "vitest";
import type { BenchCase } from "../bench.ts";
import { measureFlagRequests } from "../flags-requests.ts";

const wrk = await needPackage("wrk", "wrk");
if ("missing" in wrk) console.warn(`SKIPPED: ${wrk.missing}`);

it.skipIf("missing" in wrk)(
  "measures each kind of request for flags, at any size",
  async () => {
    const cases: BenchCase[] = [];
    const context = { data: undefined, rounds: 1, progress: () => undefined };
    const sizes = { flags: 7, users: 3, connections: 2, seconds: 1, warmUp: false, maxRounds: 1 };
    for await (const one of measureFlagRequests(context, sizes)) cases.push(one);
    expect(new Set(cases.map((each) => each.case)).size).toBe(6);
    expect(cases.filter(({ metric }) => metric === "requests per second")).toHaveLength(6);
    expect(cases.filter(({ ours, peer }) => !(ours > 0 && peer > 0))).toEqual([]);
  },
  90_000,
);
