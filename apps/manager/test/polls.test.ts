import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, startHarness } from "./manager-harness.ts";

const deadlineMs = 500; // five times what an agent may wait
const rows = 60_000;

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterAll(() => harness.close());

const management = "/api/v1/namespaces/ns/projects/prj";
const importRows = (target: string) => {
  const lines = Array.from({ length: rows }, (_, index) => `BASIC\t/r/${index}\t${target}\t301`);
  return harness.request("POST", `${management}/import`, {
    body: `type\tsource\ttarget\tstatus\n${lines.join("\n")}`,
    headers: { "content-type": "text/tab-separated-values" },
  });
};

/** The middle of the waits of polls, one after the other while something runs, and how many there were. */
async function pollWhile(running: Promise<{ status: number }>): Promise<{ median: number; polls: number }> {
  const waits: number[] = [];
  let ended = false;
  running.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  while (!ended) {
    const begun = performance.now();
    expect((await harness.agent("GET", "/version")).status).toBe(200);
    waits.push(performance.now() - begun);
  }
  expect((await running).status).toBe(200);
  return { median: waits.toSorted((a, b) => a - b)[waits.length >> 1] ?? 0, polls: waits.length };
}

describe("an agent's poll", () => {
  it("waits neither for an import, nor a publish, a restore or a search", { timeout: 120_000 }, async () => {
    const runs: [string, () => Promise<{ status: number }>][] = [
      ["import", () => importRows("/one")],
      ["publish", () => harness.project("POST", "/publish")],
      ["search", () => harness.project("GET", "/redirects?order=source&search=nothing-has-this")],
      ["restore", () => harness.project("POST", "/versions/1/restore")],
    ];
    for (const [name, run] of runs) {
      const { median, polls } = await pollWhile(run());
      expect(polls, name).toBeGreaterThan(0);
      expect(median, `${polls} polls during ${name}`).toBeLessThan(deadlineMs);
    }
  });
});
