/** What a spool says of itself. */
import { expect, it } from "vitest";
import { openSpool, temporaryDirectory } from "./harness.ts";

it("counts what came, what is settled and what is left, and how old the oldest of it is", async () => {
  const directory = await temporaryDirectory();
  let time = 1_000_000;
  const now = (): number => time;
  {
    await using spool = await openSpool(directory, { now });
    expect(spool.gauges()).toEqual({
      records: 0,
      bytes: 0,
      pendingBytes: 0,
      memoryBytes: 0,
      oldestAgeMs: 0,
      segments: 0,
    });
    await spool.append([Buffer.alloc(100), Buffer.alloc(100)]);
    time += 10_000;
    await spool.append(Buffer.alloc(100));
    time += 5000;
    expect(spool.counters).toMatchObject({ recordsIn: 3, syncs: 2, largestGroup: 2, bytesIn: 32 + 3 * 112 });
    expect(spool.gauges()).toMatchObject({
      records: 3,
      bytes: 32 + 3 * 112,
      oldestAgeMs: 15_000,
      segments: 1,
    });
    spool.settle([1]);
    expect(spool.gauges()).toMatchObject({ records: 2, oldestAgeMs: 15_000 });
    spool.settle([2]);
    expect(spool.gauges()).toMatchObject({ records: 1, oldestAgeMs: 5000 });
    time -= 60_000;
    expect(spool.gauges().oldestAgeMs).toBe(0);
    time += 60_000;
  }
  time += 1000;
  await using spool = await openSpool(directory, { now });
  expect(spool.gauges()).toMatchObject({ records: 1, bytes: 32 + 3 * 112 + 12, oldestAgeMs: 16_000 });
  expect(spool.counters).toMatchObject({ recordsIn: 0, recordsSettled: 0 });
});
