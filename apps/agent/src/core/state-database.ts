import { closeSync, existsSync, openSync, readdirSync, renameSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { agentErrors } from "./errors.ts";

/** SQLite's numbers for a file that is damaged, or is no database. */
const corrupt = 11;
const notADatabase = 26;
const asideMark = ".damaged-";

/**
 * Opens `state.db`, small and precious: what is committed is on disk. It is made when there is none; a damaged one stays as it is.
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

const mostSetAside = 10;

/**
 * Names a damaged `state.db` another way, so that a new one can be made; its name then. What SQLite left beside
 * it goes with it, for those who try to recover it.
 *
 * @throws STATE_DATABASE_UNUSABLE: there are ten such files already, or it cannot be renamed
 */
export function setAsideStateDatabase(file: string, at: Date): string {
  const known = findSetAside(file);
  if (known.length >= mostSetAside) {
    const reason = `it is damaged, and so are ${known.length} files beside it`;
    throw agentErrors.create("STATE_DATABASE_UNUSABLE", { file, reason });
  }
  const aside = `${file}${asideMark}${at.toISOString().replaceAll(/[:.-]/g, "")}`;
  return withStateErrors(file, () => {
    // The file itself last: until then it is found damaged again.
    for (const end of ["-wal", "-shm", ""]) if (existsSync(file + end)) renameSync(file + end, aside + end);
    return aside;
  });
}

/** Damaged files that were set aside, the oldest first. */
export function findSetAside(file: string): string[] {
  const prefix = basename(file) + asideMark;
  return readdirSync(dirname(file))
    .filter((name) => name.startsWith(prefix) && !/-(wal|shm)$/.test(name))
    .sort()
    .map((name) => join(dirname(file), name));
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
