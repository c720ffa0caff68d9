import { DatabaseSync } from "node:sqlite";
import { agentErrors } from "../core/errors.ts";

export interface SpoolLock {
  release(): void;
}

const busy = 5;

/**
 * Keeps every other opener away from a spool: an exclusive transaction, for as long as this one runs, on an empty
 * database in its directory. The operating system ends it with the process, however that dies, and holds it against
 * containers that share the directory, where process ids say nothing. These two calls are the only ones of the spool
 * that do not go through the thread pool. @throws SPOOL_IN_USE, SPOOL_UNUSABLE
 */
export function lockSpool(directory: string, path: string): SpoolLock {
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    lock.exec("begin exclusive");
    const held = lock;
    return { release: () => held.close() };
  } catch (cause) {
    lock?.close();
    const { errcode, message } = cause as { errcode?: number; message: string };
    if (((errcode ?? 0) & 255) === busy) throw agentErrors.create("SPOOL_IN_USE", { directory }, { cause });
    throw agentErrors.create("SPOOL_UNUSABLE", { directory, reason: message }, { cause });
  }
}
