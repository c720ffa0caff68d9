import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Part, startParts, stopParts } from "../src/index.ts";

function recorded(name: string, calls: string[], change: Partial<Part> = {}): Part {
  return {
    name,
    start: async () => void calls.push(`+${name}`),
    stop: async () => void calls.push(`-${name}`),
    ...change,
  };
}

describe("starting and stopping parts", () => {
  it("starts in order and stops in reverse", async () => {
    const calls: string[] = [];
    const parts = [recorded("a", calls), recorded("b", calls)];
    await startParts(parts);
    await stopParts(parts, 1000);
    expect(calls).toEqual(["+a", "+b", "-b", "-a"]);
  });

  it("stops what was started when a later part fails, the failed one too", async () => {
    const calls: string[] = [];
    const fails = recorded("b", calls, { start: () => Promise.reject(new Error("no")) });
    await expect(startParts([recorded("a", calls), fails, recorded("c", calls)])).rejects.toThrow("no");
    expect(calls).toEqual(["+a", "-b", "-a"]);
  });

  it("goes on stopping when one fails, and throws its error at the end", async () => {
    const calls: string[] = [];
    const fails = recorded("b", calls, { stop: () => Promise.reject(new Error("no")) });
    await expect(stopParts([recorded("a", calls), fails], 1000)).rejects.toThrow("no");
    expect(calls).toEqual(["-a"]);
  });

  it("leaves a part behind that does not stop", async () => {
    const calls: string[] = [];
    const hangs = recorded("b", calls, { stop: () => new Promise(() => {}) });
    await expect(stopParts([recorded("a", calls), hangs], 10)).rejects.toMatchObject({
      code: "STOP_TOO_SLOW",
      message: "b did not stop within 10 ms",
    });
    expect(calls).toEqual(["-a"]);
  });

  it("gives later parts what is left of the deadline", async () => {
    const deadlines: number[] = [];
    const first = recorded("a", [], { stop: async (deadline) => void deadlines.push(deadline) });
    await stopParts([first, recorded("b", [], { stop: () => sleep(50) })], 10_000);
    expect(deadlines[0]).toBeLessThan(10_000);
    expect(deadlines[0]).toBeGreaterThan(0);
  });

  it("stops between two parts when asked to", async () => {
    const calls: string[] = [];
    const asked = new AbortController();
    const first = recorded("a", calls, { start: async () => asked.abort() });
    await expect(startParts([first, recorded("b", calls)], { signal: asked.signal })).rejects.toBe(
      asked.signal.reason,
    );
    expect(calls).toEqual(["-a"]);
  });
});
