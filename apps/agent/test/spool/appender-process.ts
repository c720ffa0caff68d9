/** `appender-process.ts DIRECTORY NAME`: appends, reads and settles as fast as it can, and says what it did. */
import { writeSync } from "node:fs";
import { createLog } from "@posthouse/service";
import { createSpool } from "../../src/spool/spool.ts";

const [directory = "", name = ""] = process.argv.slice(2);
const log = createLog({ level: "error", format: "json" });
const spool = createSpool({ directory, maxBytes: 64 * 2 ** 20, segmentBytes: 64 * 1024, log });
await spool.start();

/** Said at once: to a file, which outlives the process. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

async function append(lane: number): Promise<never> {
  for (let index = 0; ; index++) {
    const text = `${name}-${lane}-${index}-${"x".repeat((index * 7) % 300)};`;
    say(`appended ${await spool.append(Buffer.from(text))} ${text}`);
  }
}

async function settle(): Promise<never> {
  for (;;) {
    const records = await spool.read({ maxRecords: 50 });
    // Some are never settled, so that segments stay half settled.
    const done = records.map(({ position }) => position).filter((position) => position % 1000 !== 0);
    for (const position of done) say(`settled ${position} ;`);
    spool.settle(done);
  }
}

await Promise.all([settle(), ...Array.from({ length: 20 }, (_, lane) => append(lane))]);
