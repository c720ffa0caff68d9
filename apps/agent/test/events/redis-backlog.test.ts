import { createLog } from "@posthouse/service";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { costOf } from "../../src/events/redis/byte-queue.ts";
import { type DropPolicy, RedisBacklog } from "../../src/events/redis/redis-backlog.ts";
import { TestIntake } from "./test-intake.ts";

const one = Buffer.from("0000");

function create(policy: DropPolicy, holds: number) {
  const intake = new TestIntake();
  const lines: string[] = [];
  const seen = { gaps: 0, dropped: 0, lines, intake };
  const backlog = new RedisBacklog({
    intake,
    memoryBytes: holds * costOf(one.length),
    policy,
    log: createLog({ format: "json", level: "debug", destination: { write: (line) => lines.push(line) } }),
    onGap: () => seen.gaps++,
    onDropped(count) {
      seen.dropped += count;
    },
    onHolding: () => {},
  });
  return { backlog, ...{ seen } };
}

const text = (number: number): string => String(number).padStart(4, "0");
const receive = (backlog: RedisBacklog, from: number, to: number): void => {
  for (let number = from; number < to; number++) backlog.receive(Buffer.from(text(number)));
};

describe("what Redis sends while the intake refuses", () => {
  it("is kept up to the limit, then the oldest go", () => {
    const { backlog, seen } = create("drop-oldest", 3);
    seen.intake.room = 0;
    receive(backlog, 0, 5);
    expect(backlog).toMatchObject({ held: 3, pending: 3 });
    expect(seen).toMatchObject({ gaps: 1, dropped: 2 });
    seen.intake.makeRoom();
    receive(backlog, 5, 6);
    expect(seen.intake.texts).toEqual(["0002", "0003", "0004", "0005"]);
  });

  it("is kept up to the limit, then the newest go", () => {
    const { backlog, seen } = create("drop-newest", 3);
    seen.intake.room = 0;
    receive(backlog, 0, 5);
    seen.intake.makeRoom();
    receive(backlog, 5, 6);
    expect(seen.intake.texts).toEqual(["0000", "0001", "0002", "0005"]);
    expect(seen).toMatchObject({ gaps: 1, dropped: 2 });
  });

  it("is a gap each time, and logged once a minute", () => {
    const { backlog, seen } = create("drop-oldest", 1);
    for (const _ of [1, 2]) {
      seen.intake.room = 0;
      receive(backlog, 0, 9);
      seen.intake.makeRoom();
    }
    expect(seen.gaps).toBe(2);
    expect(seen.lines.filter((line) => line.includes("dropped"))).toHaveLength(1);
  });

  it("is dropped at the stop when there is still no room", async () => {
    const { backlog, seen } = create("drop-oldest", 9);
    seen.intake.room = 1;
    receive(backlog, 0, 3);
    await backlog.settle(10);
    expect(seen.dropped).toBe(2);
    expect(backlog.held).toBe(0);
  });

  it("is either delivered in order or counted as dropped, whatever the intake does", () => {
    const step = fc.oneof(
      fc.record({ room: fc.nat(5) }),
      fc.record({ receive: fc.nat(8) }),
      fc.record({ settle: fc.nat(5) }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.constantFrom("drop-oldest", "drop-newest"),
        (steps, policy) => {
          const { backlog, seen } = create(policy as DropPolicy, 4);
          seen.intake.room = 0;
          seen.intake.isDurable = false;
          let sent = 0;
          for (const each of steps) {
            if ("room" in each) seen.intake.makeRoom(each.room);
            else if ("settle" in each) seen.intake.settle(each.settle);
            else {
              receive(backlog, sent, sent + each.receive);
              sent += each.receive;
            }
            expect(backlog.held).toBeLessThanOrEqual(4);
            expect(seen.intake.listeners).toBeLessThanOrEqual(1);
          }
          seen.intake.makeRoom();
          seen.intake.settle();
          expect(backlog.pending).toBe(0);
          const texts = seen.intake.texts;
          expect(texts.length + seen.dropped).toBe(sent);
          expect(texts).toEqual([...new Set(texts)].sort());
        },
      ),
    );
  });
});
