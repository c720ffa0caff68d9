import { closeSync, openSync, statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { agentErrors } from "./errors.ts";

/** SQLite's numbers for a file that is damaged, or is no database. */
const corrupt = 11;
const notADatabase = 26;

/**
 * Opens `state.db`, small and precious: what is committed is on disk. It is made when there is none, and never replaced.
 * Not for the thread that serves: it waits for the disk.
 *
 * @throws STATE_DATABASE_DAMAGED, STATE_DATABASE_UNUSABLE
 */
export function openStateDatabase(file: string, schema: string): DatabaseSync {
  return withStateErrors(file, () => {
    closeSync(openSync(file, "a", 0o600));
    const isNew = statSync(file).size === 0;
    const database = new DatabaseSync(file, { timeout: 5000 });
    try {
      database.exec(
        "pragma journal_mode = wal; pragma synchronous = full; pragma journal_size_limit = 4194304;",
      );
      const found = isNew ? "ok" : String(database.prepare("pragma quick_check(1)").get()?.quick_check);
      if (found !== "ok") throw agentErrors.create("STATE_DATABASE_DAMAGED", { file, reason: found });
      database.exec(schema);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  });
}

/** Does something with the database; an error of SQLite's is thrown as one of ours. */
export function withStateErrors<Result>(file: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    const { errcode, syscall, message } = cause as { errcode?: number; syscall?: string; message?: string };
    if (errcode === undefined && syscall === undefined) throw cause;
    const kind = (errcode ?? 0) & 0xff;
    const isDamaged = kind === corrupt || kind === notADatabase;
    const code = isDamaged ? "STATE_DATABASE_DAMAGED" : "STATE_DATABASE_UNUSABLE";
    throw agentErrors.create(code, { file, reason: String(message) }, { cause });
  }
}
