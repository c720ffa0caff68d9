/** What the intake has taken is durable when it says so, in order; what it cannot take it refuses, until there is room. */
import { join } from "node:path";
import { mountSmallDisk } from "@posthouse/testkit/small-disk";
import { describe, expect, it, onTestFinished } from "vitest";
import type { BrokerMessage } from "../../src/events/celery/message.ts";
import { createIntake } from "../../src/events/intake.ts";
import { decodeMessage } from "../../src/events/spooled-message.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { interceptedDisk, openSpool, readAll, systemError, temporaryDirectory } from "../spool/harness.ts";
import { amqp } from "./captures.ts";
import { silent, upTo } from "./pipeline-harness.ts";

const message = (index: number, size = 10): BrokerMessage => amqp(`${index} ${"x".repeat(size)}`);

async function indicesIn(spool: Spool): Promise<number[]> {
  return (await readAll(spool)).map(({ payload }) => {
    const decoded = decodeMessage(payload);
    return decoded.kind === "message" && decoded.message.transport === "amqp"
      ? Number.parseInt(Buffer.from(decoded.message.body).toString(), 10)
      : -1;
  });
}

/** Offers messages as a source does: one that is refused is held and offered again. */
function offering(intake: ReturnType<typeof createIntake>, messages: readonly BrokerMessage[]) {
  const done: number[] = [];
  let at = 0;
  const offer = (): void => {
    for (; at < messages.length; at++) {
      const index = at;
      if (!intake.take(messages[at] as BrokerMessage, () => done.push(index))) {
        intake.onRoom(offer);
        return;
      }
    }
  };
  offer();
  return done;
}

describe("the intake", () => {
  it("says in order what is durable, a group at a time", async () => {
    const spool = await openSpool(await temporaryDirectory());
    const intake = createIntake({ spool, log: silent });
    const done = offering(
      intake,
      upTo(500).map((index) => message(index)),
    );
    expect(done).toEqual([]);
    await expect.poll(() => done.length).toBe(500);
    expect(done).toEqual(upTo(500));
    expect(await indicesIn(spool)).toEqual(upTo(500));
    expect(spool.counters.syncs).toBeLessThan(10);
    expect(intake.counters).toEqual({ taken: 500, refused: 0, cut: 0, retried: 0 });
  });

  it("refuses when the spool is full, and takes all when it was emptied", async () => {
    const spool = await openSpool(await temporaryDirectory(), { maxBytes: 40_000, segmentBytes: 4000 });
    const intake = createIntake({ spool, log: silent });
    const done = offering(
      intake,
      upTo(100).map((index) => message(index, 1000)),
    );
    await expect.poll(() => spool.isFull).toBe(true);
    await expect.poll(() => done.length).toBeGreaterThan(20);
    const before = done.length;
    expect(before).toBeLessThan(50);
    expect(intake.counters.refused).toBeGreaterThan(0);
    const seen: number[] = [];
    while (seen.length < 100) {
      const records = await spool.read({ maxRecords: 10 });
      for (const { payload } of records)
        seen.push(Number.parseInt(Buffer.from(payload).toString("utf8", 1), 10));
      spool.settle(records.map(({ position }) => position));
    }
    expect(done).toEqual(upTo(100));
    expect(seen).toEqual(upTo(100));
  });

  it("stays in order when part of what it kept is refused and the rest cannot be written again", async () => {
    let isFailing = true;
    const disk = interceptedDisk((step, path) => {
      if (isFailing && step === "datasync" && path.endsWith(".segment")) throw systemError("EIO");
    });
    const spool = await openSpool(await temporaryDirectory(), { disk, maxBytes: 64_000 });
    // Somebody else's record comes first when there is room, and leaves too little for the last message.
    let rejected: Error | undefined;
    const forget = spool.onRoom(() => {
      forget();
      isFailing = true;
      spool.append(Buffer.alloc(50_000)).catch((error) => {
        rejected = error;
      });
    });
    const intake = createIntake({ spool, log: silent });
    const done = offering(intake, [message(0), message(1), message(2, 15_000)]);
    await expect.poll(() => intake.counters.retried).toBe(3);
    isFailing = false;
    await expect.poll(() => intake.counters.retried, { timeout: 10_000 }).toBe(5);
    expect(rejected).toMatchObject({ code: "SPOOL_WRITE_FAILED" });
    isFailing = false;
    await expect.poll(() => done.length, { timeout: 10_000 }).toBe(3);
    expect(done).toEqual([0, 1, 2]);
    expect(await indicesIn(spool)).toEqual([0, 1, 2]);
  });

  it("keeps in its own memory what it took and could not write, and says done later, in order", async () => {
    let isFailing = false;
    const disk = interceptedDisk((step, path) => {
      if (isFailing && step === "datasync" && path.endsWith(".segment")) throw systemError("EIO");
    });
    const spool = await openSpool(await temporaryDirectory(), { disk });
    const intake = createIntake({ spool, log: silent });
    const first = offering(intake, [message(0)]);
    await expect.poll(() => first).toEqual([0]);
    isFailing = true;
    const done = offering(
      intake,
      upTo(50).map((index) => message(index + 1)),
    );
    await expect.poll(() => intake.counters.retried).toBe(50);
    expect(intake.take(message(99), () => {})).toBe(false);
    let rooms = 0;
    intake.onRoom(() => rooms++);
    isFailing = false;
    await expect.poll(() => done.length, { timeout: 10_000 }).toBe(50);
    expect(done).toEqual(upTo(50));
    await expect.poll(() => rooms).toBe(1);
    expect(await indicesIn(spool)).toEqual(upTo(51));
  });

  it("takes the beginning of what is too large: it never stands in the way", async () => {
    const spool = await openSpool(await temporaryDirectory(), { maxRecordBytes: 100_000 });
    const intake = createIntake({ spool, log: silent });
    const done = offering(intake, [message(0), message(1, 200_000), message(2)]);
    await expect.poll(() => done).toEqual([0, 1, 2]);
    const kinds = (await readAll(spool)).map(({ payload }) => decodeMessage(payload).kind);
    expect(kinds).toEqual(["message", "cut", "message"]);
    expect(intake.counters.cut).toBe(1);
  });

  it("tells of room although the spool was never full: a large message was refused before", async () => {
    const spool = await openSpool(await temporaryDirectory(), { memoryBytes: 100_000, maxBytes: 10_000_000 });
    const intake = createIntake({ spool, log: silent });
    const done = offering(intake, [message(0, 45_000), message(1, 90_000), message(2, 90_000)]);
    await expect.poll(() => done, { timeout: 5000 }).toEqual([0, 1, 2]);
    expect(intake.counters.refused).toBeGreaterThan(0);
  });

  it("refuses once the spool has stopped, and leaves nothing that runs", async () => {
    const spool = await openSpool(await temporaryDirectory());
    const intake = createIntake({ spool, log: silent });
    await spool.stop(1000);
    expect(intake.take(message(0), () => {})).toBe(false);
  });
});

describe("a full disk", () => {
  it("stops taking and nothing else; what was taken is there when it has room", async ({ skip }) => {
    const path = await temporaryDirectory();
    const disk = await mountSmallDisk(path);
    if ("missing" in disk) {
      console.warn(`NOT TESTED: ${disk.missing}`);
      return skip(disk.missing);
    }
    onTestFinished(() => disk[Symbol.asyncDispose]());
    const small = { segmentBytes: 64 * 1024, memoryBytes: 256 * 1024 };
    const spool = await openSpool(join(path, "queue"), small);
    const intake = createIntake({ spool, log: silent });
    const done = offering(intake, [message(0)]);
    await expect.poll(() => done).toEqual([0]);
    await disk.fill();
    const more = offering(
      intake,
      upTo(40).map((index) => message(index + 1, 5000)),
    );
    await expect.poll(() => spool.counters.writeErrors).toBeGreaterThan(0);
    expect(more.length).toBeLessThan(40);
    expect((await indicesIn(spool))[0]).toBe(0);
    await disk.free();
    await expect.poll(() => more.length, { timeout: 10_000 }).toBe(40);
    expect(more).toEqual(upTo(40));
    expect(await indicesIn(spool)).toEqual(upTo(41));
  });
});
