/** A disk that is full or fails: appends are refused with the reason, all else goes on, and it begins again by itself. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { mountSmallDisk } from "@posthouse/testkit/small-disk";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  filesOf,
  interceptedDisk,
  openSpool,
  positionsOf,
  readAll,
  systemError,
  temporaryDirectory,
  textsOf,
} from "./harness.ts";

const small = { segmentBytes: 64 * 1024, memoryBytes: 256 * 1024 };

async function mountOrSay(skip: (why: string) => never) {
  const path = await temporaryDirectory();
  const disk = await mountSmallDisk(path);
  if ("missing" in disk) {
    console.warn(`NOT TESTED: ${disk.missing}`);
    return skip(disk.missing);
  }
  onTestFinished(() => disk[Symbol.asyncDispose]());
  return { disk, directory: join(path, "queue") };
}

describe("a full disk", () => {
  it("refuses, is read and settled all the same, and takes again when there is room", async ({ skip }) => {
    const { disk, directory } = await mountOrSay(skip);
    const spool = await openSpool(directory, small);
    await spool.append([Buffer.from("one"), Buffer.from("two")]);
    let rooms = 0;
    spool.onRoom(() => rooms++);
    await disk.fill();
    const large = Buffer.alloc(50_000, 1);
    await expect(spool.append(large)).rejects.toMatchObject({ code: "SPOOL_WRITE_FAILED" });
    await expect(spool.append(large)).rejects.toThrow("ENOSPC");
    expect(spool.isFull).toBe(true);
    expect(spool.counters).toMatchObject({ writeErrors: 1, recordsRejected: 2 });
    expect(await textsOf(spool)).toEqual(["one", "two"]);
    spool.settle([1]);
    await expect.poll(() => spool.counters.settleErrors).toBeGreaterThan(0);
    expect(await textsOf(spool)).toEqual(["two"]);
    await sleep(1500); // looked again in vain
    expect(rooms).toBe(0);
    await expect(spool.append(Buffer.from("small"))).rejects.toMatchObject({ code: "SPOOL_WRITE_FAILED" });
    expect(spool.counters).toMatchObject({ writeErrors: 1, recordsRejected: 3 });
    await disk.free();
    await expect.poll(() => rooms, { timeout: 10_000 }).toBe(1);
    expect(spool.isFull).toBe(false);
    expect(await spool.append(Buffer.from("three"))).toBe(3);
    await spool.stop(1000);
    expect(await textsOf(await openSpool(directory, small))).toEqual(["two", "three"]);
  });

  it("has room again when what it holds is settled", async ({ skip }) => {
    const { directory } = await mountOrSay(skip);
    const spool = await openSpool(directory, small);
    let accepted = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await spool.append(Buffer.alloc(10_000, accepted));
        accepted++;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "SPOOL_WRITE_FAILED" });
    expect(accepted).toBeGreaterThan(50);
    const records = await readAll(spool);
    expect(records.map(({ payload }) => payload[0])).toEqual(
      Array.from({ length: accepted }, (_, index) => index),
    );
    const room = new Promise<void>((resolve) => spool.onRoom(resolve));
    spool.settle(positionsOf(records));
    await room;
    expect(await spool.append(Buffer.from("again"))).toBe(accepted + 1);
    expect(await textsOf(spool)).toEqual(["again"]);
  });
});

describe("a disk with room for some of what waits", () => {
  it.for([
    ["most of a disk", 700],
    ["more than a disk", 4096],
  ] as const)(
    "takes it bit by bit, as it is delivered; a segment is %s",
    { timeout: 60_000 },
    async ([, kilobytes], { skip }) => {
      const { directory } = await mountOrSay(skip);
      const spool = await openSpool(directory, { maxBytes: 64 * 2 ** 20, segmentBytes: kilobytes * 1024 });
      // Twice as much as the disk holds.
      let waiting = Array.from({ length: 40 }, (_, index) => Buffer.alloc(50_000, index));
      const read: (number | undefined)[] = [];
      const ending = new AbortController();
      const reading = (async () => {
        while (!ending.signal.aborted) {
          const records = await spool.read({ maxRecords: 10 }, ending.signal);
          read.push(...records.map(({ payload }) => payload[0]));
          spool.settle(positionsOf(records));
        }
      })();
      while (waiting.length > 0) {
        const appended = await Promise.allSettled(waiting.map((record) => spool.append(record)));
        waiting = waiting.filter((_, index) => appended[index]?.status === "rejected");
        if (waiting.length > 0) await new Promise<void>((resolve) => spool.onRoom(resolve));
      }
      await expect.poll(() => read.length, { timeout: 10_000 }).toBe(40);
      ending.abort();
      await reading;
      expect(read).toEqual(Array.from({ length: 40 }, (_, index) => index));
      await spool.stop(1000);
      const again = await openSpool(directory);
      expect(await again.append(Buffer.from("next"))).toBe(41);
    },
  );
});

describe("a write that fails", () => {
  it("leaves nothing of it behind, whichever step failed", async () => {
    for (const failing of ["write", "datasync"] as const) {
      const directory = await temporaryDirectory();
      let isFailing = false;
      const disk = interceptedDisk((step, path) => {
        if (isFailing && step === failing && path.endsWith(".segment")) throw systemError("EIO");
      });
      const spool = await openSpool(directory, { disk });
      await spool.append([Buffer.from("a"), Buffer.from("b")]);
      const room = new Promise<void>((resolve) => spool.onRoom(resolve));
      isFailing = true;
      const lost = [spool.append(Buffer.from("lost")), spool.append(Buffer.from("too"))];
      for (const append of lost) await expect(append).rejects.toThrow("EIO");
      isFailing = false;
      await room;
      expect(await spool.append(Buffer.from("c"))).toBe(3);
      expect(await textsOf(spool)).toEqual(["a", "b", "c"]);
      await spool.stop(1000);
      const again = await openSpool(directory);
      expect(await textsOf(again)).toEqual(["a", "b", "c"]);
      expect(again.counters).toMatchObject({ bytesCut: 0, recordsDamaged: 0 });
    }
  });

  it("is no harm when the process ends before the file could be cut", async () => {
    const directory = await temporaryDirectory();
    let isFailing = false;
    const disk = interceptedDisk((step) => {
      if (isFailing && (step === "datasync" || step === "truncate")) throw systemError("EIO");
    });
    {
      await using spool = await openSpool(directory, { disk });
      await spool.append(Buffer.from("kept"));
      isFailing = true;
      await expect(spool.append(Buffer.from("unknown"))).rejects.toThrow("EIO");
    }
    const spool = await openSpool(directory);
    const [kept, ...others] = await textsOf(spool);
    expect(kept).toBe("kept");
    expect([[], ["unknown"]]).toContainEqual(others);
    expect(await spool.append(Buffer.from("next"))).toBe(2 + others.length);
  });

  it("of a new segment's first records tells those apart that are durable", async () => {
    const directory = await temporaryDirectory();
    let opened = 0;
    const disk = interceptedDisk((step, path) => {
      if (step === "datasync" && path.endsWith(".segment") && ++opened === 2) throw systemError("EIO");
    });
    const spool = await openSpool(directory, { disk, segmentBytes: 1000 });
    const appends = [spool.append(Buffer.alloc(600, "1")), spool.append(Buffer.alloc(600, "2"))];
    expect((await Promise.allSettled(appends)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
    ]);
    await new Promise<void>((resolve) => spool.onRoom(resolve));
    expect(await filesOf(directory, ".segment")).toHaveLength(1);
    expect(await spool.append(Buffer.alloc(600, "3"))).toBe(2);
    expect((await textsOf(spool)).map((text) => text[0])).toEqual(["1", "3"]);
  });

  it("is told once a read fails, and the next read has the same records", async () => {
    const directory = await temporaryDirectory();
    await using first = await openSpool(directory);
    await first.append([Buffer.from("a"), Buffer.from("b")]);
    await first.stop(1000);
    let isFailing = true;
    const disk = interceptedDisk((step) => {
      if (isFailing && step === "read") throw systemError("EIO");
    });
    isFailing = false;
    const spool = await openSpool(directory, { disk });
    isFailing = true;
    await expect(spool.read()).rejects.toMatchObject({ code: "SPOOL_READ_FAILED" });
    expect(spool.counters.readErrors).toBe(1);
    isFailing = false;
    expect(await textsOf(spool)).toEqual(["a", "b"]);
  });
});

describe("a directory that cannot be used", () => {
  it("is refused with the reason, and taken once it can be", async () => {
    const directory = await temporaryDirectory();
    const disk = interceptedDisk(() => {});
    let isFailing = true;
    const mkdirs: typeof disk.mkdir = ((...args: Parameters<typeof mkdir>) =>
      isFailing ? Promise.reject(systemError("EACCES")) : mkdir(...args)) as typeof disk.mkdir;
    const opening = openSpool(directory, { disk: { ...disk, mkdir: mkdirs } });
    await expect(opening).rejects.toMatchObject({ code: "SPOOL_UNUSABLE" });
    isFailing = false;
    expect(
      await (await openSpool(directory, { disk: { ...disk, mkdir: mkdirs } })).append(Buffer.from("a")),
    ).toBe(1);
  });
});
