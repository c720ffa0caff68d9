/** A process that appends, reads and settles is killed at any moment: what it acknowledged is there afterwards. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "@posthouse/testkit/until";
import { expect, it } from "vitest";
import { filesOf, openSpool, readAll, temporaryDirectory, textOf } from "./harness.ts";

const kills = 30;
const child = join(import.meta.dirname, "appender-process.ts");

/** Runs an appender until it is killed, some time after it said something; what it said. */
async function runAndKill(directory: string, round: number): Promise<string[]> {
  const said = `${directory}-${round}.txt`;
  const output = await open(said, "w");
  const appender = spawn(
    process.execPath,
    ["--conditions=posthouse-source", child, directory, String(round)],
    { stdio: ["ignore", output.fd, "inherit"], timeout: 30_000 },
  );
  const exited = once(appender, "exit");
  try {
    await until("the first acknowledgement", async () => (await stat(said)).size > 0);
    await sleep(Math.random() * 60);
  } finally {
    appender.kill("SIGKILL");
    await output.close();
  }
  expect(await exited).toEqual([null, "SIGKILL"]);
  const lines = (await readFile(said, "utf8")).split("\n");
  return lines.slice(0, -1);
}

it(`loses nothing over ${kills} kills at random moments`, async () => {
  const directory = await temporaryDirectory();
  /** Acknowledged and not settled, by position. */
  const owed = new Map<number, string>();
  let acknowledged = 0;
  let last = 0;
  for (let round = 1; round <= kills; round++) {
    const highest = last;
    for (const line of await runAndKill(directory, round)) {
      const [what, position = "", text = ""] = line.split(" ");
      if (what === "settled") owed.delete(Number(position));
      else {
        owed.set(Number(position), text);
        acknowledged++;
        last = Math.max(last, Number(position));
        expect(Number(position)).toBeGreaterThan(highest);
      }
    }
    await using spool = await openSpool(directory, { segmentBytes: 64 * 1024 });
    const there = new Map((await readAll(spool)).map((record) => [record.position, textOf(record)]));
    expect(spool.counters.recordsDamaged).toBe(0);
    expect([...there.keys()]).toEqual([...there.keys()].toSorted((a, b) => a - b));
    for (const [position, text] of owed) expect(there.get(position), `record ${position}`).toBe(text);
    // The next rounds begin with a remainder of this one.
    const done = [...there.keys()].filter((position) => position % 10 !== round % 10);
    spool.settle(done);
    for (const position of done) owed.delete(position);
  }
  expect(acknowledged).toBeGreaterThan(kills * 20);
  const [oldest = ""] = await filesOf(directory, ".segment");
  expect(oldest).not.toContain("/0000000000000001.");
}, 180_000);
