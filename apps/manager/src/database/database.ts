/**
 * The database: one SQLite file with three connections, each in a thread of its own, so that polls and token checks
 * wait neither for an import or a publish nor for somebody's search.
 */
import { closeSync, openSync } from "node:fs";
import { isPosthouseError } from "@posthouse/protocol";
import { Kysely } from "kysely";
import { Migrator } from "kysely/migration";
import { errors } from "../errors.ts";
import { lockDatabase } from "./database-lock.ts";
import { migrations } from "./migrations.ts";
import type { Schema } from "./schema.ts";
import { createSqliteDialect } from "./sqlite-dialect.ts";
import { openFailure } from "./sqlite-error.ts";
import { deferThread, openSqliteThread, type SqliteThread } from "./sqlite-thread.ts";

export interface Database {
  readonly path: string;
  /** For what agents wait for: rows found by a key. */
  readonly read: Kysely<Schema>;
  /** For reading that may take long: searches, differences, exports. */
  readonly scan: Kysely<Schema>;
  /** The only one that changes rows, one transaction after the other. */
  readonly write: Kysely<Schema>;
  /** Statements and transactions that wait for `write`. */
  readonly waitingWrites: () => number;
  close(): Promise<void>;
}

const cache = "pragma cache_size = -65536";
const writerStatements = [
  "pragma journal_mode = wal",
  "pragma synchronous = full",
  "pragma wal_autocheckpoint = 2000",
  "pragma journal_size_limit = 67108864",
  cache,
];
const maxWaitingReads = 10_000;
const maxWaitingWrites = 1_000;

/** Opens the file, makes it when there is none, and brings its tables up to date. @throws DATABASE_* */
export async function openDatabase(path: string): Promise<Database> {
  const lock = lockDatabase(path);
  const threads: SqliteThread[] = [];
  let waitingWrites = 0;
  const noteWaitingWrites = (count: number): void => {
    waitingWrites = count;
  };
  const close = async (): Promise<void> => {
    for (const thread of threads.splice(0).reverse()) await thread.close();
    lock.release();
  };
  const use = (thread: SqliteThread, readOnly: boolean): Kysely<Schema> => {
    threads.push(thread);
    const dialect = createSqliteDialect(thread, {
      begin: readOnly ? "begin" : "begin immediate",
      maxWaiting: readOnly ? maxWaitingReads : maxWaitingWrites,
      onWaiting: readOnly ? undefined : noteWaitingWrites,
    });
    return new Kysely<Schema>({ dialect });
  };
  const reader = { path, readOnly: true, initialise: [cache] };
  try {
    createPrivately(path);
    const writer = { path, readOnly: false, initialise: writerStatements };
    const write = use(await openSqliteThread(writer), false);
    await migrate(write, path);
    const scan = use(deferThread(openSqliteThread({ ...reader, checksRules: true })), true);
    const read = use(await openSqliteThread(reader), true);
    return { path, write, read, scan, waitingWrites: () => waitingWrites, close };
  } catch (error) {
    await close();
    throw isPosthouseError(error) ? error : openFailure(error, path);
  }
}

/** SQLite gives its other files the mode of the first. */
function createPrivately(path: string): void {
  closeSync(openSync(path, "a", 0o600));
}

async function migrate(write: Kysely<Schema>, path: string): Promise<void> {
  const migrator = new Migrator({ db: write, provider: { getMigrations: async () => migrations } });
  const { error, results } = await migrator.migrateToLatest();
  if (error === undefined) return;
  const reason = error instanceof Error ? error.message : String(error);
  if (!results?.length && reason.includes("corrupted migrations"))
    throw errors.create("DATABASE_NEWER", { path, reason }, { cause: error });
  throw error;
}
