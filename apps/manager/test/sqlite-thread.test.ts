import { statSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createCheckpointer } from "../src/database/checkpointer.ts";
import { openSqliteThread, type SqliteThread } from "../src/database/sqlite-thread.ts";

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sqlite-thread-"));
  path = join(directory, "test.db");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("a statement with rows of parameters", () => {
  let thread: SqliteThread;
  beforeEach(async () => {
    thread = await openSqliteThread({ path, readOnly: false, initialise: ["create table t (a unique, b)"] });
  });
  afterEach(() => thread.close());

  const insert = (rows: unknown[][]) =>
    thread.execute("insert into t values (?, ?)", [{ rows: JSON.stringify(rows) }]);
  const all = async () => (await thread.execute("select a, b from t order by a", [])).rows;

  it("runs for each row", async () => {
    expect(
      await insert([
        [1, "x"],
        [2, null],
      ]),
    ).toMatchObject({ rows: [], changes: 2 });
    expect(await all()).toEqual([
      { a: 1, b: "x" },
      { a: 2, b: null },
    ]);
  });

  it("runs for none when one fails, and leaves the transaction around it as it was", async () => {
    await thread.execute("begin", []);
    await insert([[1, "x"]]);
    await expect(
      insert([
        [2, "y"],
        [1, "again"],
      ]),
    ).rejects.toThrow(/UNIQUE/);
    await thread.execute("commit", []);
    expect(await all()).toEqual([{ a: 1, b: "x" }]);
  });
});

describe("the checkpoint after a transaction", () => {
  it("comes behind the answer when the transaction was large", () => {
    const database = new DatabaseSync(path);
    database.exec("pragma journal_mode = wal; pragma wal_autocheckpoint = 7; create table t (a)");
    const checkpointer = createCheckpointer(database);
    const write = (rows: number): { told: number; after: number } => {
      let told = 0;
      const run = (sql: string): void =>
        checkpointer.around(sql, () => {
          database.exec(sql);
          told = statSync(path).size;
        });
      run("begin immediate");
      run(
        `with recursive n (a) as (select 1 union all select a + 1 from n where a < ${rows}) insert into t select a from n`,
      );
      run("commit");
      return { told, after: statSync(path).size };
    };
    const large = write(50_000);
    expect(large.after).toBeGreaterThan(large.told);
    const small = write(5_000); // more than 7 pages: checkpointed by SQLite itself
    expect(small.after).toBe(small.told);
    expect(small.after).toBeGreaterThan(large.after);
    expect(database.prepare("pragma wal_autocheckpoint").get()).toEqual({ wal_autocheckpoint: 7 });
    database.close();
  });
});
