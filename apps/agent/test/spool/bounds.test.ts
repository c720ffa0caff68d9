/** What a spool takes on disk and in memory is bounded, and it says when it is nearly full. */
import { describe, expect, it } from "vitest";
import { interceptedDisk, openSpool, positionsOf, readAll, temporaryDirectory, textOf } from "./harness.ts";

const kilobyte = Buffer.alloc(1000, "x");

describe("bounds", () => {
  it("on disk: full at nine tenths, refused at the limit, room again when a quarter is free", async () => {
    const spool = await openSpool(await temporaryDirectory(), { maxBytes: 100_000 });
    const rooms: number[] = [];
    const end = spool.onRoom(() => rooms.push(spool.gauges().bytes));
    let fullAt = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await spool.append(kilobyte);
        if (fullAt === 0 && spool.isFull) fullAt = spool.gauges().bytes;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "SPOOL_FULL" });
    expect(fullAt).toBeGreaterThanOrEqual(90_000);
    expect(fullAt).toBeLessThan(92_000);
    expect(spool.gauges().bytes).toBeGreaterThan(98_000);
    expect(spool.gauges().bytes).toBeLessThanOrEqual(100_000);
    const records = await readAll(spool);
    for (const position of positionsOf(records)) {
      spool.settle([position]);
      if (position % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 120));
      if (rooms.length > 0) break;
    }
    expect(rooms).toHaveLength(1);
    expect(rooms[0]).toBeLessThanOrEqual(75_000);
    expect(spool.isFull).toBe(false);
    end();
    await spool.append(kilobyte);
  });

  it("counts what it found when it was opened", async () => {
    const directory = await temporaryDirectory();
    {
      await using spool = await openSpool(directory, { maxBytes: 100_000 });
      await spool.append(Array.from({ length: 95 }, () => kilobyte));
    }
    const spool = await openSpool(directory, { maxBytes: 100_000 });
    expect(spool.isFull).toBe(true);
    await expect(spool.append(Buffer.alloc(5000))).rejects.toMatchObject({ code: "SPOOL_FULL" });
  });

  it("in memory: what waits for a slow disk is refused at the limit", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const disk = interceptedDisk((step) => (step === "datasync" ? held : undefined));
    const spool = await openSpool(await temporaryDirectory(), { disk, memoryBytes: 100_000 });
    const waiting: Promise<number>[] = [];
    let isFullAt = 0;
    for (let index = 0; index < 95; index++) {
      waiting.push(spool.append(kilobyte));
      if (isFullAt === 0 && spool.isFull) isFullAt = index;
    }
    expect(isFullAt).toBeGreaterThan(40);
    expect(isFullAt).toBeLessThan(60);
    await expect(spool.append(Buffer.alloc(10_000))).rejects.toMatchObject({ code: "SPOOL_BUSY" });
    expect(spool.gauges().memoryBytes).toBeLessThan(130_000);
    release();
    expect((await Promise.all(waiting)).at(-1)).toBe(95);
    expect(spool.isFull).toBe(false);
    expect(spool.counters.recordsRejected).toBe(1);
  });

  it("of a record: a larger one is refused, alone", async () => {
    const spool = await openSpool(await temporaryDirectory(), { maxRecordBytes: 1000 });
    await expect(spool.append(Buffer.alloc(1001))).rejects.toMatchObject({ code: "SPOOL_RECORD_TOO_LARGE" });
    expect(await spool.append(kilobyte)).toBe(1);
  });

  it("of segments: they end near their size, and one record may be larger", async () => {
    const spool = await openSpool(await temporaryDirectory(), { segmentBytes: 5000 });
    await spool.append([kilobyte, kilobyte, Buffer.alloc(20_000), kilobyte]);
    expect(spool.gauges().segments).toBe(3);
    expect((await readAll(spool)).map(({ payload }) => payload.length)).toEqual([1000, 1000, 20_000, 1000]);
  });

  it("in memory: a large record does not stay there once it is on disk", async () => {
    const spool = await openSpool(await temporaryDirectory(), { maxRecordBytes: 8 * 2 ** 20 });
    const sizes = [10, 6e6, 20, 7e6, 7e6, 30];
    for (const size of sizes) await spool.append(Buffer.alloc(size, size % 251));
    await spool.append(Buffer.alloc(6e6, 1));
    expect(spool.gauges().memoryBytes).toBeLessThan(2 * 2 ** 20);
    const records = await readAll(spool);
    expect(records.map(({ payload }) => payload.length)).toEqual([...sizes, 6e6]);
    spool.settle(records.map(({ position }) => position));
    await spool.append(Buffer.from("last"));
    expect((await readAll(spool)).map(textOf)).toEqual(["last"]);
  });
});
