import { type Kysely, sql } from "kysely";
import type { Schema } from "../database/schema.ts";

/** Names of the temporary tables of an import. */
export interface ImportTables {
  /** The good rows. `item_id` and `hash` are those of a new item, if every row becomes one. */
  readonly rows: string;
  /** The rows that do not become new items, each with the item it meets and what becomes of it. */
  readonly found: string;
}

export function createImportTables(index: number): ImportTables {
  return { rows: `temp.import_row_${index}`, found: `temp.import_found_${index}` };
}

export async function makeTables(db: Kysely<Schema>, { rows, found }: ImportTables): Promise<void> {
  await sql`create table if not exists ${sql.raw(rows)} (line integer primary key, type text, source text,
    target text, status text, item_id integer, hash blob)`.execute(db);
  await sql`create table if not exists ${sql.raw(found)} (line integer primary key, item_id integer,
    action text)`.execute(db);
}

export async function emptyTables(db: Kysely<Schema>, { rows, found }: ImportTables): Promise<void> {
  await sql`delete from ${sql.raw(rows)}`.execute(db);
  await sql`delete from ${sql.raw(found)}`.execute(db);
}
