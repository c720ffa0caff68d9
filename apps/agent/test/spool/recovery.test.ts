/** What is left of a spool whose files were cut or damaged: of the newest segment at least all before the damage. */
import { appendFile, copyFile, mkdir, readFile, truncate, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  endMarkBytes,
  readSegmentHeader,
  recordHeaderBytes,
  scanSegment,
  segmentHeaderBytes,
} from "../../src/spool/record.ts";
import {
  filesOf,
  openSpool,
  positionsOf,
  positionsUpTo,
  readAll,
  temporaryDirectory,
  textsOf,
} from "./harness.ts";

const records = Array.from({ length: 40 }, (_, index) =>
  Buffer.from(`${index}:`.padEnd(2 + (index % 17), "x")),
);
const texts = records.map(String);
/** Where each record ends in a segment that holds all. */
const ends: number[] = [];
for (const { length } of records) ends.push((ends.at(-1) ?? segmentHeaderBytes) + recordHeaderBytes + length);
const size = ends.at(-1) ?? 0;

async function makeSpool(segmentBytes?: number): Promise<string> {
  const directory = await temporaryDirectory();
  await using spool = await openSpool(directory, segmentBytes === undefined ? {} : { segmentBytes });
  for (const record of records) await spool.append(record);
  return directory;
}

/** A copy of its segments, to be damaged. */
async function copyOf(directory: string): Promise<string> {
  const copy = await temporaryDirectory();
  await mkdir(copy);
  for (const file of await filesOf(directory, ".segment")) await copyFile(file, join(copy, basename(file)));
  return copy;
}

const only = async (directory: string): Promise<string> => (await filesOf(directory, ".segment"))[0] ?? "";

describe("the newest segment", () => {
  it("cut at any byte ends with its last whole record", async () => {
    const bytes = await readFile(await only(await makeSpool()));
    const salt = readSegmentHeader(bytes)?.salt ?? 0;
    for (let cut = segmentHeaderBytes; cut <= size; cut++) {
      const whole = ends.filter((end) => end <= cut);
      const end = whole.at(-1) ?? segmentHeaderBytes;
      expect(scanSegment(bytes.subarray(0, cut), salt)).toEqual({ count: whole.length, end });
    }
  });

  it("cut anywhere keeps every whole record, and takes new ones after them", async () => {
    const whole = await makeSpool();
    for (let cut = 0; cut <= size; cut += 7) {
      const directory = await copyOf(whole);
      await truncate(await only(directory), cut);
      const kept = ends.filter((end) => end <= cut).length;
      {
        await using spool = await openSpool(directory);
        expect(await textsOf(spool)).toEqual(texts.slice(0, kept));
        expect(await spool.append(Buffer.from("new"))).toBe(kept + 1);
      }
      await using spool = await openSpool(directory);
      expect(await textsOf(spool)).toEqual([...texts.slice(0, kept), "new"]);
      expect(spool.counters.bytesCut).toBe(0);
    }
  });

  it("with any bytes overwritten keeps what is before them, what is after them, and invents nothing", async () => {
    const whole = await makeSpool();
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: size - 1 }),
        fc.uint8Array({ minLength: 1, maxLength: 40 }),
        async (at, junk) => {
          const directory = await copyOf(whole);
          const file = await only(directory);
          const bytes = await readFile(file);
          bytes.set(junk.subarray(0, size - at), at);
          await writeFile(file, bytes);
          const end = Math.min(size, at + junk.length);
          const isTouched = (index: number): boolean =>
            (ends[index - 1] ?? segmentHeaderBytes) < end && (ends[index] ?? 0) > at;
          await using spool = await openSpool(directory);
          const found = await textsOf(spool);
          if (at < segmentHeaderBytes) expect([0, 40]).toContain(found.length);
          else {
            const untouched = texts.filter((_, index) => !isTouched(index));
            expect(found).toEqual(expect.arrayContaining(untouched));
          }
          expect(texts).toEqual(expect.arrayContaining(found));
          const lost = texts.length - found.length;
          const isAside = (await filesOf(directory, ".damaged")).length === 1;
          if (lost > 0)
            expect(spool.counters.recordsDamaged + spool.counters.bytesCut + Number(isAside)).toBeGreaterThan(
              0,
            );
        },
      ),
      { numRuns: 200 },
    );
  });

  it("that ends in zeros or in half a record is cut, without an alarm", async () => {
    for (const tail of [Buffer.alloc(5000), Buffer.from("half of something"), Buffer.alloc(3)]) {
      const directory = await makeSpool();
      await appendFile(await only(directory), tail);
      await using spool = await openSpool(directory);
      expect(await textsOf(spool)).toEqual(texts);
      expect(spool.counters).toMatchObject({ bytesCut: tail.length, recordsDamaged: 0 });
      expect((await readFile(await only(directory))).length).toBe(size + endMarkBytes);
    }
  });

  it("that was only begun is begun again", async () => {
    const directory = await temporaryDirectory();
    await mkdir(directory);
    await writeFile(join(directory, `${"7".padStart(16, "0")}.segment`), "PHSP");
    const spool = await openSpool(directory);
    expect(await spool.append(Buffer.from("seventh"))).toBe(7);
    expect(await textsOf(spool)).toEqual(["seventh"]);
  });

  it("takes no payload for a record", async () => {
    const first = await makeSpool();
    const bytes = await readFile(await only(first));
    const directory = await temporaryDirectory();
    {
      await using spool = await openSpool(directory);
      await spool.append([Buffer.from("a"), bytes, Buffer.from("b")]);
    }
    const file = await only(directory);
    const damaged = await readFile(file);
    damaged.fill(255, segmentHeaderBytes + recordHeaderBytes + 1, segmentHeaderBytes + 2 * recordHeaderBytes);
    await writeFile(file, damaged);
    await using spool = await openSpool(directory);
    expect(await textsOf(spool)).toEqual(["a", "b"]);
  });
});

describe("an older segment", () => {
  it("is read around damage, which is counted, and is set aside when the rest is settled", async () => {
    const directory = await makeSpool(200);
    const [, second = ""] = await filesOf(directory, ".segment");
    const bytes = await readFile(second);
    const at = segmentHeaderBytes + recordHeaderBytes;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    await writeFile(second, bytes);
    const spool = await openSpool(directory);
    const found = await readAll(spool);
    expect(found).toHaveLength(39);
    expect(spool.counters).toMatchObject({ recordsDamaged: 1, recordsSettled: 0 });
    expect(spool.gauges().records).toBe(39);
    spool.settle(positionsOf(found));
    await expect.poll(() => filesOf(directory, ".damaged")).toEqual([`${second}.damaged`]);
    expect(await readFile(`${second}.damaged`)).toEqual(bytes);
  });

  it("before one that is gone, because all in it was settled, ends where it ended", async () => {
    const directory = await makeSpool(200);
    const middle = positionsUpTo(40).slice(6, 30);
    {
      await using spool = await openSpool(directory);
      spool.settle(middle);
    }
    expect((await filesOf(directory, ".segment")).length).toBeLessThan(5);
    await using spool = await openSpool(directory);
    expect(spool.gauges().records).toBe(40 - middle.length);
    expect(positionsOf(await readAll(spool))).toEqual(
      positionsUpTo(40).filter((position) => !middle.includes(position)),
    );
    expect(spool.counters).toMatchObject({ recordsDamaged: 0, bytesCut: 0 });
    expect(await filesOf(directory, ".damaged")).toEqual([]);
  });

  it("that lost its end, or all, or its header, costs its own records and no others", async () => {
    const whole = await makeSpool(200);
    const [first = "", second = ""] = (await filesOf(whole, ".segment")).map((file) => basename(file));
    const inSecond = (index: number): boolean =>
      index + 1 >= Number.parseInt(second, 10) && index + 1 < Number.parseInt(second, 10) + 8;
    for (const cut of [0, 10, segmentHeaderBytes, 60]) {
      const directory = await copyOf(whole);
      await truncate(join(directory, second), cut);
      await using spool = await openSpool(directory);
      const found = await textsOf(spool);
      expect(found.length + spool.counters.recordsDamaged).toBe(texts.length);
      expect(found).toEqual(expect.arrayContaining(texts.filter((_, index) => !inSecond(index))));
    }
    expect(Number.parseInt(first, 10)).toBe(1);
  });
});
