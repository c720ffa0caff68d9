import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findSetAside, setAsideStateDatabase } from "../src/core/state-database.ts";

test("damaged databases are set aside under names of their own, ten at most, and none is overwritten", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-aside-"));
  const file = join(folder, "state.db");
  const at = (minute: number): Date => new Date(Date.UTC(2026, 0, 2, 3, minute, 5, 678));
  try {
    for (let minute = 0; minute < 10; minute++) {
      await writeFile(file, `damaged ${minute}`);
      await writeFile(`${file}-wal`, `log ${minute}`);
      expect(setAsideStateDatabase(file, at(minute))).toBe(`${file}.damaged-20260102T030${minute}05678Z`);
    }
    expect(await readFile(`${file}.damaged-20260102T030705678Z`, "utf8")).toBe("damaged 7");
    expect(await readFile(`${file}.damaged-20260102T030705678Z-wal`, "utf8")).toBe("log 7");
    expect(findSetAside(file)).toHaveLength(10);

    await writeFile(file, "damaged again");
    expect(() => setAsideStateDatabase(file, at(11))).toThrow("10 files beside it");
    expect(await readFile(file, "utf8")).toBe("damaged again");
    expect(await readdir(folder)).toHaveLength(21);
  } finally {
    await rm(folder, { recursive: true });
  }
});
