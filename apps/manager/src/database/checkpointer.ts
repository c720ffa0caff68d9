import type { DatabaseSync } from "node:sqlite";

const manyRows = 10_000;

export interface Checkpointer {
  /** Runs a statement of which the caller is told by `tell`. */
  around(sql: string, tell: () => void): void;
}

/**
 * Whoever waits for a small transaction waits for its turn to copy the write-ahead log into the database now and then,
 * as SQLite has it; after a large one that takes as long as the commit itself, so it is done once the commit is told.
 */
export function createCheckpointer(database: DatabaseSync): Checkpointer {
  const totalChanges = database.prepare("select total_changes() as rows");
  const rowsChanged = (): number => (totalChanges.get() as { rows: number }).rows;
  const autocheckpoint = database.prepare("pragma wal_autocheckpoint");
  let rowsAtBegin = 0;

  function checkpointAfter(tell: () => void): void {
    const { wal_autocheckpoint: pages } = autocheckpoint.get() as { wal_autocheckpoint: number };
    database.exec("pragma wal_autocheckpoint = 0");
    tell();
    try {
      database.exec("pragma wal_checkpoint(passive)");
    } catch {
      // The log keeps what it holds; the next commit tries again.
    } finally {
      database.exec(`pragma wal_autocheckpoint = ${pages}`);
    }
  }

  return {
    around(sql, tell) {
      if (sql.startsWith("begin")) rowsAtBegin = rowsChanged();
      if (sql === "commit" && rowsChanged() - rowsAtBegin >= manyRows) checkpointAfter(tell);
      else tell();
    },
  };
}
