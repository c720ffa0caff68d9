/** Records are settled in any order; what is not settled is read again after a restart. */
import { readFile, writeFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  filesOf,
  openSpool,
  positionsOf,
  positionsUpTo,
  readAll,
  temporaryDirectory,
  textsOf,
} from "./harness.ts";

const texts = (count: number): string[] => Array.from({ length: count }, (_, index) => `record ${index + 1}`);
const buffers = (count: number): Buffer[] => texts(count).map((text) => Buffer.from(text));

describe("settling", () => {
  it("is remembered over restarts, whatever the order", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }), { maxLength: 4 }),
        async (rounds) => {
          const directory = `${await temporaryDirectory()}-${Math.random()}`;
          const left = new Set(positionsUpTo(60));
          {
            await using spool = await openSpool(directory, { segmentBytes: 300 });
            await spool.append(buffers(60));
          }
          for (const round of rounds) {
            await using spool = await openSpool(directory, { segmentBytes: 300 });
            expect(positionsOf(await readAll(spool))).toEqual([...left]);
            spool.settle(round);
            for (const position of round) left.delete(position);
            expect(spool.gauges().records).toBe(left.size);
            expect(spool.counters.recordsDamaged).toBe(0);
          }
          await using spool = await openSpool(directory, { segmentBytes: 300 });
          expect(positionsOf(await readAll(spool))).toEqual([...left]);
        },
      ),
      { numRuns: 25 },
    );
  });

  it("of all in a segment removes its files, and the newest segment stays", async () => {
    const directory = await temporaryDirectory();
    const spool = await openSpool(directory, { segmentBytes: 300 });
    await spool.append(buffers(60));
    const before = (await filesOf(directory, ".segment")).length;
    expect(before).toBe(5);
    const records = await readAll(spool);
    spool.settle(positionsOf(records).toReversed());
    await expect.poll(() => filesOf(directory, ".segment")).toHaveLength(1);
    await expect.poll(async () => (await filesOf(directory, ".settled")).length).toBeLessThan(2);
    expect(spool.counters.recordsSettled).toBe(60);
    expect(spool.gauges()).toMatchObject({ records: 0, oldestAgeMs: 0 });
    expect(spool.gauges().bytes).toBeLessThan(400);
  });

  it("twice, or of what is not there, changes nothing", async () => {
    const spool = await openSpool(await temporaryDirectory());
    await spool.append(buffers(3));
    spool.settle([2, 2, 0, 4, 1000, -1, 2]);
    expect(spool.counters.recordsSettled).toBe(1);
    expect(positionsOf(await readAll(spool))).toEqual([1, 3]);
  });

  it("never makes a position be given again", async () => {
    const directory = await temporaryDirectory();
    for (let round = 0; round < 4; round++) {
      await using spool = await openSpool(directory);
      expect(await spool.append(buffers(5))).toBe(1 + 5 * round);
      spool.settle(positionsUpTo(5 * round + 5));
    }
    await (await openSpool(directory)).stop(1000);
    const spool = await openSpool(directory);
    expect(await spool.append(buffers(1))).toBe(21);
  });

  it("is undone by damage to its file, never extended", async () => {
    const directory = await temporaryDirectory();
    {
      await using spool = await openSpool(directory);
      await spool.append(buffers(50));
      spool.settle([1, 2, 3]);
      spool.settle([10, 12, 14, 20, 21]);
    }
    const [file = ""] = await filesOf(directory, ".settled");
    const whole = await readFile(file);
    const settled = [1, 2, 3, 10, 12, 14, 20, 21];
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ (1 + (at % 255));
      await writeFile(file, at % 2 === 0 ? bytes : bytes.subarray(0, at));
      await using spool = await openSpool(directory);
      const there = new Set(positionsOf(await readAll(spool)));
      expect(
        positionsUpTo(50).filter((position) => !there.has(position) && !settled.includes(position)),
      ).toEqual([]);
    }
  });
});

describe("reading", () => {
  it("hands out each record once, in batches by count and by bytes, until it is rewound", async () => {
    const spool = await openSpool(await temporaryDirectory());
    await spool.append(buffers(30));
    expect(positionsOf(await spool.read({ maxRecords: 7 }))).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(positionsOf(await spool.read({ maxBytes: 17 }))).toEqual([8, 9]);
    expect(positionsOf(await spool.read({ maxBytes: 1 }))).toEqual([10]);
    spool.settle([2, 9]);
    spool.rewind();
    expect(positionsOf(await spool.read({ maxRecords: 9 }))).toEqual([1, 3, 4, 5, 6, 7, 8, 10, 11]);
  });

  it("waits for the next record", async () => {
    const spool = await openSpool(await temporaryDirectory());
    const reading = spool.read();
    await expect(spool.read()).rejects.toThrow("one read at a time");
    await spool.append(Buffer.from("late"));
    expect((await reading).map(({ payload }) => Buffer.from(payload).toString())).toEqual(["late"]);
  });

  it("ends with nothing when its signal is aborted, and when the spool stops", async () => {
    const spool = await openSpool(await temporaryDirectory());
    expect(await spool.read({}, AbortSignal.abort())).toEqual([]);
    expect(await spool.read({}, AbortSignal.timeout(10))).toEqual([]);
    const reading = spool.read();
    await spool.stop(1000);
    expect(await reading).toEqual([]);
  });

  it("gives the same from memory, from disk, and from a mix of both", async () => {
    const directory = await temporaryDirectory();
    const payloads = Array.from({ length: 400 }, (_, index) => Buffer.alloc((index * 37) % 3000, index));
    const expected = payloads.map((bytes) => bytes.toString("latin1"));
    const read = async (memoryBytes: number): Promise<string[]> => {
      await using spool = await openSpool(`${directory}-${memoryBytes}`, {
        memoryBytes,
        segmentBytes: 50_000,
      });
      for (const payload of payloads) await spool.append(payload);
      expect(spool.gauges().memoryBytes).toBeLessThan(memoryBytes + 8192);
      return (await readAll(spool)).map(({ payload }) => Buffer.from(payload).toString("latin1"));
    };
    expect(await read(16 * 2 ** 20)).toEqual(expected);
    expect(await read(100_000)).toEqual(expected);
    expect(await read(4096)).toEqual(expected);
    await using again = await openSpool(`${directory}-4096`);
    expect((await readAll(again)).map(({ payload }) => Buffer.from(payload).toString("latin1"))).toEqual(
      expected,
    );
  });

  it("keeps up with records larger than its blocks", async () => {
    const directory = await temporaryDirectory();
    const large = Array.from({ length: 3 }, (_, index) => Buffer.alloc(3_000_000, index + 1));
    {
      await using spool = await openSpool(directory);
      await spool.append([Buffer.from("before"), ...large, Buffer.from("after")]);
    }
    const spool = await openSpool(directory);
    const records = await readAll(spool);
    expect(records.map(({ payload }) => payload.length)).toEqual([6, 3_000_000, 3_000_000, 3_000_000, 5]);
    expect(records.map(({ payload }) => payload[9])).toEqual([undefined, 1, 2, 3, undefined]);
    expect(await textsOf(spool)).toHaveLength(5);
  });
});
