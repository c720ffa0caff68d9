import { DatabaseSync } from "node:sqlite";
import { openFailure, SqliteError } from "./sqlite-error.ts";

export interface DatabaseLock {
  release(): void;
}

/**
 * Keeps a second Manager away from the database: an exclusive transaction, for as long as this one runs, on an empty
 * database beside it. The operating system ends it with the process, however that dies. @throws DATABASE_IN_USE
 */
export function lockDatabase(path: string): DatabaseLock {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}.lock`, { timeout: 0 });
    lock.exec("begin exclusive");
    const held = lock;
    return {
      release() {
        if (held.isOpen) held.close();
      },
    };
  } catch (error) {
    lock?.close();
    const { message, errcode } = error as { message: string; errcode?: number };
    throw openFailure(new SqliteError({ message, errcode: errcode ?? 0 }), path);
  }
}
