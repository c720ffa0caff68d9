/** An append is acknowledged, and its record handed out, when it is on disk and not before. */
import { describe, expect, it } from "vitest";
import { interceptedDisk, openSpool, readAll, temporaryDirectory, textsOf } from "./harness.ts";

/** A disk whose `datasync` waits for `let`. */
function gatedDisk() {
  const waiting: (() => void)[] = [];
  const disk = interceptedDisk((step) => {
    if (step !== "datasync") return undefined;
    return new Promise((resolve) => void waiting.push(resolve));
  });
  return {
    disk,
    waiting,
    async oneThrough() {
      await expect.poll(() => waiting.length).toBe(1);
      waiting.shift()?.();
    },
  };
}

describe("durability", () => {
  it("comes before the acknowledgement, and before anybody reads", async () => {
    const gate = gatedDisk();
    const spool = await openSpool(await temporaryDirectory(), { disk: gate.disk });
    let isAcknowledged = false;
    const appended = spool.append(Buffer.from("one")).then(() => {
      isAcknowledged = true;
    });
    await expect.poll(() => gate.waiting.length).toBe(1);
    expect(await spool.read({}, AbortSignal.timeout(50))).toEqual([]);
    expect(isAcknowledged).toBe(false);
    await gate.oneThrough();
    await appended;
    expect(await textsOf(spool)).toEqual(["one"]);
  });

  it("takes the file and, for a new one, the directory with its name", async () => {
    const directory = await temporaryDirectory();
    const steps: string[] = [];
    const disk = interceptedDisk((step, path) => {
      steps.push(
        `${step} ${path.endsWith(".segment") ? "segment" : path === directory ? "directory" : "other"}`,
      );
    });
    const spool = await openSpool(directory, { disk });
    steps.length = 0;
    await spool.append(Buffer.from("first"));
    expect(steps).toEqual(["write segment", "datasync segment", "sync directory", "close directory"]);
    steps.length = 0;
    await spool.append(Buffer.from("second"));
    expect(steps).toEqual(["write segment", "datasync segment"]);
  });

  it("is bought once for all that arrived during the write before", async () => {
    const gate = gatedDisk();
    const spool = await openSpool(await temporaryDirectory(), { disk: gate.disk });
    const first = spool.append(Buffer.from("first"));
    await expect.poll(() => gate.waiting.length).toBe(1);
    const others = Array.from({ length: 500 }, (_, index) => spool.append(Buffer.from(`other ${index}`)));
    expect(gate.waiting.length).toBe(1);
    await gate.oneThrough();
    await gate.oneThrough();
    expect(await first).toBe(1);
    expect(await Promise.all(others)).toEqual(others.map((_, index) => index + 2));
    expect(spool.counters).toMatchObject({ recordsIn: 501, syncs: 2, largestGroup: 500 });
  });

  it("holds for one write of what is appended in one go", async () => {
    const spool = await openSpool(await temporaryDirectory());
    await Promise.all([spool.append(Buffer.from("a")), spool.append([Buffer.from("b"), Buffer.from("c")])]);
    expect(spool.counters.syncs).toBe(1);
  });

  it("acknowledges in the order of positions, by promise and by callback, across segments", async () => {
    const spool = await openSpool(await temporaryDirectory(), { segmentBytes: 2000 });
    const seen: number[] = [];
    const all: Promise<unknown>[] = [];
    for (let index = 0; index < 300; index++) {
      const bytes = Buffer.alloc(index % 90, 1);
      if (index % 3 === 0) all.push(spool.append(bytes).then((position) => seen.push(position)));
      else
        all.push(
          new Promise<void>((resolve) => {
            spool.appendThen(bytes, (_, position) => {
              seen.push(position);
              resolve();
            });
          }),
        );
      if (index % 40 === 0) await spool.append([]);
    }
    await Promise.all(all);
    expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
    expect((await readAll(spool)).map(({ payload }) => payload.length)).toEqual(
      Array.from({ length: 300 }, (_, index) => index % 90),
    );
  });

  it("goes on when a caller's callback throws", async () => {
    const spool = await openSpool(await temporaryDirectory());
    spool.appendThen(Buffer.from("a"), () => {
      throw new Error("of the caller");
    });
    expect(await spool.append(Buffer.from("b"))).toBe(2);
    expect(await spool.append(Buffer.from("c"))).toBe(3);
  });

  it("leaves the caller its bytes", async () => {
    const spool = await openSpool(await temporaryDirectory());
    const bytes = Buffer.from("before");
    const appended = spool.append(bytes);
    bytes.write("after ");
    await appended;
    expect(await textsOf(spool)).toEqual(["before"]);
  });
});
