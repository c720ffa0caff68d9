/** Dead letters are on disk when it is said; they are bounded, listed, exported, replayed and dropped. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import {
  createDeadLetters,
  type DeadLetters,
  type DeadLettersOptions,
  type NewDeadLetter,
} from "../../src/events/dead-letters.ts";
import { encodeCut, encodeMessage, messageOf } from "../../src/events/spooled-message.ts";
import { amqp } from "./captures.ts";
import {
  clocksOf,
  eventsOf,
  numbered,
  numberedEvent,
  silent,
  subject,
  temporaryFolder,
  upTo,
  webhook,
  webhookSink,
} from "./pipeline-harness.ts";

async function open(file?: string, options: Partial<DeadLettersOptions> = {}): Promise<DeadLetters> {
  const letters = createDeadLetters({
    file: file ?? join(await temporaryFolder(), "state.db"),
    log: silent,
    ...options,
  });
  await letters.start();
  onTestFinished(() => letters.stop(1000));
  return letters;
}

const letter = (text: string, subscription = "leek-prod"): NewDeadLetter => {
  const record = Uint8Array.from(encodeMessage(messageOf(Buffer.from(text))));
  return { subscription, reason: "not-json", detail: "x", record };
};

async function linesOf(lines: AsyncIterable<string>): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  for await (const line of lines) {
    expect(line.endsWith("\n")).toBe(true);
    all.push(JSON.parse(line));
  }
  return all;
}

describe("dead letters", () => {
  it("are there after another start", async () => {
    const file = join(await temporaryFolder(), "state.db");
    const first = await open(file);
    await first.add([letter("one"), letter("two")]);
    await first.stop(1000);
    const again = await open(file);
    expect(again.list()).toMatchObject([
      { id: 1, reason: "not-json", count: 1 },
      { id: 2, subscription: "leek-prod" },
    ]);
    expect((await stat(file)).mode & 0o077).toBe(0);
  });

  it("of one moment are one transaction", async () => {
    const letters = await open();
    await Promise.all(upTo(2000).map((index) => letters.add([letter(`letter ${index}`)])));
    expect(letters.total()).toMatchObject({ letters: 2000 });
  });

  it("that are the same are one, with a count", async () => {
    let now = 1000;
    const letters = await open(undefined, { now: () => now });
    await letters.add([letter("a"), letter("a")]);
    now = 2000;
    await letters.add([letter("a"), letter("a", "other-prod")]);
    expect(letters.list({ subscription: "leek-prod" })).toMatchObject([
      { count: 3, firstAt: 1000, lastAt: 2000 },
    ]);
    expect(letters.total("other-prod").letters).toBe(1);
  });

  it("are listed page by page", async () => {
    const letters = await open();
    await letters.add(upTo(25).map((index) => letter(String(index), index % 5 === 0 ? "b" : "a")));
    const seen: number[] = [];
    for (let after = 0; ; ) {
      const page = letters.list({ subscription: "a", after, limit: 7 });
      expect(page.length).toBeLessThanOrEqual(7);
      if (page.length === 0) break;
      seen.push(...page.map(({ id }) => id));
      after = seen.at(-1) ?? 0;
    }
    expect(seen).toHaveLength(20);
    expect(letters.list()).toHaveLength(25);
  });

  it("are exported a line each, as text where they are text", async () => {
    const letters = await open();
    const record = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes);
    await letters.add([
      letter("é"),
      {
        ...letter(""),
        record: record(encodeMessage({ transport: "redis", payload: Buffer.from([255, 0]) })),
      },
      { ...letter(""), record: record(encodeCut(amqp("y".repeat(100_000)))) },
      { ...letter(""), record: Buffer.from([0x77]) },
    ]);
    await letters.add(upTo(300).map((index) => letter(String(index))));
    const lines = await linesOf(letters.export());
    expect(lines).toHaveLength(304);
    expect(lines[0]).toMatchObject({ transport: "amqp", contentType: "application/json", text: "é" });
    expect(lines[1]).toMatchObject({ transport: "redis", base64: "/wA=" });
    expect(lines[2]).toMatchObject({
      isCut: true,
      bytes: 100_000,
      text: expect.stringMatching(/^y{65536}$/),
    });
    expect(lines[3]).toMatchObject({ base64: "dw==" });
    expect(lines[0]?.firstAt).toMatch(/^\d{4}-.*Z$/);
  });

  it("are bounded by number: the oldest go, counted", async () => {
    const letters = await open(undefined, { maxLetters: 100 });
    await letters.add([letter("other", "other-prod")]);
    for (const index of upTo(250)) await letters.add([letter(String(index))]);
    const { letters: left } = letters.total("leek-prod");
    expect(left).toBeLessThanOrEqual(100);
    expect(left).toBeGreaterThanOrEqual(95);
    expect(letters.counters).toMatchObject({ added: 251, evicted: 250 - left });
    expect(letters.total("other-prod").letters).toBe(1);
    expect(Buffer.from(letters.list({ limit: 1000 }).at(-1)?.record ?? []).toString("utf8", 1)).toBe("249");
    await letters.add(upTo(1000).map((index) => letter(`more ${index}`)));
    expect(letters.total("leek-prod").letters).toBeLessThanOrEqual(100);
  });

  it("are bounded by bytes, but the newest stays", async () => {
    const letters = await open(undefined, { maxBytes: 10_000 });
    for (const index of upTo(30)) await letters.add([letter(`${index}${"x".repeat(1000)}`)]);
    expect(letters.total().bytes).toBeLessThanOrEqual(10_000);
    await letters.add([letter("y".repeat(50_000))]);
    expect(letters.total().letters).toBe(1);
  });

  it("that come again and again do not push out others", async () => {
    const letters = await open(undefined, { maxLetters: 10 });
    await letters.add([letter("first")]);
    for (let round = 0; round < 30; round++) await letters.add([letter("same")]);
    expect(letters.total().letters).toBe(2);
    expect(letters.counters.evicted).toBe(0);
  });

  it("are not taken, and nothing is opened again, once they have stopped", async () => {
    const letters = await open();
    const added = letters.add([letter("a")]);
    await Promise.all([added, letters.stop(1000)]);
    await expect(letters.add([letter("b")])).rejects.toMatchObject({ code: "STATE_DATABASE_UNUSABLE" });
    expect(() => letters.list()).toThrow("it is not open");
    await letters.start();
    expect(letters.total().letters).toBe(1);
  });

  it("are dropped", async () => {
    const letters = await open();
    await letters.add([letter("a"), letter("b"), letter("c")]);
    expect(letters.drop([1, 3, 99])).toBe(2);
    expect(letters.list().map(({ id }) => id)).toEqual([2]);
    expect(letters.counters.dropped).toBe(2);
  });
});

describe("a replay", () => {
  it("delivers what was refused, although it was seen before", async () => {
    const receiver = await webhook();
    receiver.refuse = ({ body }) => (body.includes('"clock":3,') ? 422 : undefined);
    const events = await subject({ sink: webhookSink(receiver.url) });
    await events.take(...numbered(6));
    await events.settled();
    expect(clocksOf(eventsOf(receiver))).toEqual([0, 1, 2, 4, 5]);
    receiver.refuse = undefined;
    const ids = events.dead().map(({ id }) => id);
    expect(await events.deadLetters.replay([...ids, 77], events.spool)).toBe(1);
    await vi.waitFor(() => expect(clocksOf(eventsOf(receiver))).toEqual([0, 1, 2, 4, 5, 3]));
    expect(events.dead()).toEqual([]);
    expect(events.deadLetters.counters).toMatchObject({ replayed: 1, dropped: 0 });
  });

  it("of poison is the same dead letter again", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url) });
    await events.take(amqp("hello"), amqp(`[${JSON.stringify(numberedEvent(1, 1))}, 5]`));
    await events.settled();
    const before = events.dead().map(({ record }) => Buffer.from(record).toString("hex"));
    expect(before).toHaveLength(2);
    await events.deadLetters.replay(
      events.dead().map(({ id }) => id),
      events.spool,
    );
    await events.settled();
    expect(events.dead().map(({ record }) => Buffer.from(record).toString("hex"))).toEqual(before);
  });

  it("leaves alone what was cut off", async () => {
    const receiver = await webhook();
    const events = await subject({ sink: webhookSink(receiver.url) });
    await events.take(amqp("x".repeat(17 * 2 ** 20)));
    await events.settled();
    const [cut] = events.dead();
    expect(cut).toMatchObject({
      reason: "too-large",
      detail: "17825792 bytes, of which the beginning is kept",
    });
    expect(await events.deadLetters.replay([cut?.id ?? 0], events.spool)).toBe(0);
    expect(events.dead()).toHaveLength(1);
  });
});

describe("a state.db that is damaged", () => {
  it("is said to be, and never replaced", async () => {
    const file = join(await temporaryFolder(), "state.db");
    const letters = await open(file);
    await letters.add(upTo(200).map((index) => letter(`letter ${index} ${"x".repeat(500)}`)));
    await letters.stop(1000);
    const bytes = await readFile(file);
    for (const spoil of [
      (copy: Buffer) => copy.fill(0x55, 0, 100),
      (copy: Buffer) => copy.fill(0x55, 4096, 40_000),
      (copy: Buffer) => copy.subarray(0, 20_000),
    ]) {
      const damaged = spoil(Buffer.from(bytes));
      await writeFile(file, damaged);
      const opening = createDeadLetters({ file, log: silent });
      await expect(opening.start()).rejects.toMatchObject({
        code: "STATE_DATABASE_DAMAGED",
        message: expect.stringContaining(file),
      });
      await opening.stop(1000);
      expect((await readFile(file)).equals(damaged)).toBe(true);
    }
    await writeFile(file, bytes);
    expect((await open(file)).total().letters).toBe(200);
  });

  it("in a folder that is not there cannot be used", async () => {
    const letters = createDeadLetters({ file: join(await temporaryFolder(), "no", "state.db"), log: silent });
    await expect(letters.start()).rejects.toMatchObject({ code: "STATE_DATABASE_UNUSABLE" });
  });
});

describe("dead letters that cannot be kept", () => {
  it("stay in the spool, shown, while the others are delivered; they are kept when they can be", async () => {
    const receiver = await webhook();
    let isFailing = true;
    const kept: NewDeadLetter[] = [];
    const add = async (letters: readonly NewDeadLetter[]): Promise<void> => {
      if (isFailing) throw new Error("the disk is full");
      kept.push(...letters);
    };
    const events = await subject({ sink: webhookSink(receiver.url), deadLetters: { add } });
    await events.take(amqp("hello"), ...numbered(20));
    await vi.waitFor(() => expect(clocksOf(eventsOf(receiver))).toEqual(upTo(20)));
    expect(events.spool.gauges().records).toBe(1);
    expect(events.pipeline.status.deadLetterError).toMatchObject({ message: "the disk is full" });
    isFailing = false;
    await events.settled();
    expect(kept).toHaveLength(1);
    expect(events.pipeline.status.deadLetterError).toBeUndefined();
  });
});

describeLifecycle({
  name: "dead letters",
  async create() {
    return { part: createDeadLetters({ file: join(await temporaryFolder(), "state.db"), log: silent }) };
  },
  async createFailing() {
    const file = join(await temporaryFolder(), "state.db");
    await writeFile(file, "this is no database at all, but it is long enough to be looked at".repeat(10));
    return {
      part: createDeadLetters({ file, log: silent }),
      repair: () => writeFile(file, ""),
    };
  },
});
