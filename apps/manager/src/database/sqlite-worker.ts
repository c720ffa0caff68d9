/** A thread that owns one SQLite connection and runs the statements it is sent, one after the other. */
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { createCheckpointer } from "./checkpointer.ts";
import { registerFunctions } from "./functions.ts";
import type { SqliteFailure } from "./sqlite-error.ts";
import type { ParameterRows, SqliteAnswer, SqliteQuestion, SqliteThreadOptions } from "./sqlite-thread.ts";

const maxStatements = 200;
const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const { path, readOnly, initialise, checksRules } = workerData as SqliteThreadOptions;
const statements = new Map<string, StatementSync>();

function open(): DatabaseSync {
  const database = new DatabaseSync(path, { readOnly, timeout: 5_000, enableForeignKeyConstraints: true });
  registerFunctions(database);
  for (const statement of initialise) database.exec(statement);
  return database;
}

function prepare(database: DatabaseSync, sql: string): StatementSync {
  const known = statements.get(sql);
  if (known) return known;
  const [oldest] = statements.keys();
  if (statements.size >= maxStatements && oldest !== undefined) statements.delete(oldest);
  const statement = database.prepare(sql);
  statements.set(sql, statement);
  return statement;
}

function run(database: DatabaseSync, { id, sql, parameters }: SqliteQuestion): SqliteAnswer {
  try {
    const statement = prepare(database, sql);
    const [first] = parameters;
    if (isRows(first)) return { id, rows: [], changes: runEach(database, statement, first) };
    const values = parameters as SQLInputValue[];
    if (statement.columns().length > 0) return { id, rows: statement.all(...values), changes: 0 };
    return { id, rows: [], changes: Number(statement.run(...values).changes) };
  } catch (error) {
    return { id, failure: describe(error) };
  }
}

function isRows(parameter: unknown): parameter is ParameterRows {
  return typeof parameter === "object" && parameter !== null && "rows" in parameter;
}

function runEach(database: DatabaseSync, statement: StatementSync, { rows }: ParameterRows): number {
  let changes = 0;
  database.exec("savepoint each_row");
  try {
    for (const values of JSON.parse(rows) as SQLInputValue[][])
      changes += Number(statement.run(...values).changes);
  } catch (error) {
    database.exec("rollback to each_row");
    throw error;
  } finally {
    database.exec("release each_row");
  }
  return changes;
}

function describe(error: unknown): SqliteFailure {
  const { message, errcode } = error as { message: string; errcode?: number };
  return { message, errcode: errcode ?? 0 };
}

try {
  const database = open();
  if (checksRules) (await import("./rule-functions.ts")).registerRuleFunctions(database);
  port.postMessage({ id: 0, rows: [], changes: 0 } satisfies SqliteAnswer);
  const checkpointer = createCheckpointer(database);
  port.on("message", (question: SqliteQuestion | "close") => {
    if (question !== "close")
      return checkpointer.around(question.sql, () => port.postMessage(run(database, question)));
    statements.clear();
    database.close();
    port.close();
  });
} catch (error) {
  port.postMessage({ id: 0, failure: describe(error) } satisfies SqliteAnswer);
  port.close();
}
