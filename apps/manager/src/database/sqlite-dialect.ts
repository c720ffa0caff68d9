import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { errors } from "../errors.ts";
import type { SqliteThread } from "./sqlite-thread.ts";

export interface SqliteDialectOptions {
  /** How a transaction begins: `begin immediate` for the one that writes. */
  readonly begin: "begin" | "begin immediate";
  /** Queries and transactions that may wait for the connection; more are refused with DATABASE_BUSY. */
  readonly maxWaiting: number;
  /** Told how many wait whenever that changes. */
  readonly onWaiting?: ((count: number) => void) | undefined;
}

/** Kysely on one connection in a worker thread: queries and whole transactions take their turn. */
export function createSqliteDialect(thread: SqliteThread, options: SqliteDialectOptions): Dialect {
  return {
    createDriver: () => createDriver(thread, options),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** All migrations are one transaction: a Manager that is killed meanwhile leaves the database as it was. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

function createDriver(thread: SqliteThread, { begin, maxWaiting, onWaiting }: SqliteDialectOptions): Driver {
  const connection = createConnection(thread);
  const waiting: (() => void)[] = [];
  let taken = false;
  const run = (statement: string) => async (): Promise<void> => {
    await connection.executeQuery(CompiledQuery.raw(statement));
  };
  return {
    async init() {},
    async acquireConnection() {
      if (!taken) taken = true;
      else if (waiting.length >= maxWaiting) throw errors.create("DATABASE_BUSY");
      else {
        const turn = new Promise<void>((resolve) => waiting.push(resolve));
        onWaiting?.(waiting.length);
        await turn;
      }
      return connection;
    },
    async releaseConnection() {
      const next = waiting.shift();
      onWaiting?.(waiting.length);
      if (next) next();
      else taken = false;
    },
    beginTransaction: run(begin),
    commitTransaction: run("commit"),
    rollbackTransaction: run("rollback"),
    async destroy() {}, // the thread is closed by whoever opened it
  };
}

function createConnection(thread: SqliteThread): DatabaseConnection {
  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const { rows, changes } = await thread.execute(sql, parameters);
      return { rows: rows as R[], numAffectedRows: BigInt(changes) };
    },
    // biome-ignore lint/correctness/useYield: rows are read in pages, never streamed
    async *streamQuery() {
      throw new Error("rows are read in pages, never streamed");
    },
  };
}
