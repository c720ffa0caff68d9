import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog } from "@posthouse/service";
import { expect, test } from "vitest";
import { openDatabase } from "../src/database/database.ts";
import { createReadiness } from "../src/readiness.ts";

test("a Manager that is not ready logs why, once", async () => {
  const directory = await mkdtemp(join(tmpdir(), "posthouse-readiness-"));
  const lines: string[] = [];
  const log = createLog({
    format: "json",
    level: "info",
    destination: { write: (line: string) => void lines.push(line) },
  });
  const database = await openDatabase(join(directory, "posthouse.db"));
  const isReady = createReadiness(database, log);
  try {
    expect([await isReady(), lines]).toEqual([true, []]);
    await database.close();
    expect([await isReady(), await isReady()]).toEqual([false, false]);
    expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual([
      "not ready: the database does not answer",
    ]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
