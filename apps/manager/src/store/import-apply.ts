import { sql, type Transaction } from "kysely";
import type { Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import type { ImportError } from "./import-result.ts";

export interface ApplyOptions {
  /** The temporary table that holds the rows. */
  readonly table: string;
  readonly projectId: number;
  readonly overwrite: boolean;
  readonly maxErrors: number;
}

export interface Applied {
  readonly imported: number;
  readonly skipped: number;
  readonly existing: number;
  readonly errors: readonly ImportError[];
}

const maxId = 0xffff_ffff;

/**
 * Decides over each gathered row, and writes the drafts.
 * - `create`: nothing has its source, or what has it gives it up with a pending change.
 * - `write`: a draft or a published redirect has it; a pending deletion becomes an update.
 * - `skip`: it says what is there already.
 * - `exists`: it may not be overwritten.
 */
export async function applyImport(trx: Transaction<Schema>, options: ApplyOptions): Promise<Applied> {
  const { projectId, overwrite, maxErrors } = options;
  const table = sql.raw(options.table);
  const same = (name: string) =>
    sql.raw(`${name}.type = r.type and ${name}.target = r.target and ${name}.status = r.status`);
  await sql`
    update ${table} as t set (item_id, action) = (
      select coalesce(d.item_id, i.id),
        case when d.item_id is null and (i.id is null or pending.change = 'UPDATE') then 'create'
          when ${overwrite ? 0 : 1} then 'exists'
          when d.item_id is not null then iif(${same("d")}, 'skip', 'write')
          when pending.change is null and ${same("i")} then 'skip'
          else 'write' end
      from ${table} r
      left join draft d on d.project_id = ${projectId} and d.kind = 'redirect' and d.source = r.source and d.change <> 'DELETE'
      left join item i on i.project_id = ${projectId} and i.kind = 'redirect' and i.source = r.source
      left join draft pending on pending.project_id = ${projectId} and pending.item_id = i.id
      where r.line = t.line)`.execute(trx);

  const { rows } = await sql<{ action: string; count: number }>`
    select action, count(*) as count from ${table} group by action`.execute(trx);
  const count = (action: string): number => rows.find((row) => row.action === action)?.count ?? 0;
  const first = await takeIds(trx, projectId, count("create"));
  await sql`
    insert into draft (project_id, item_id, change, kind, type, source, target, status, hash, created_at)
    select ${projectId}, id, 'CREATE', 'redirect', type, source, target, status,
      item_hash(id, 'redirect', type, source, target, status, null, null), ${Date.now()}
    from (select *, ${first} - 1 + row_number() over (order by line) as id from ${table}
      where action = 'create')`.execute(trx);
  await sql`
    insert into draft (project_id, item_id, change, kind, type, source, target, status, hash, created_at)
    select ${projectId}, item_id, 'UPDATE', 'redirect', type, source, target, status,
      item_hash(item_id, 'redirect', type, source, target, status, null, null), ${Date.now()}
    from ${table} where action = 'write' order by item_id
    on conflict (project_id, item_id) do update set change = iif(change = 'CREATE', 'CREATE', 'UPDATE'),
      type = excluded.type, source = excluded.source, target = excluded.target, status = excluded.status,
      hash = excluded.hash`.execute(trx);

  const { rows: existing } = await sql<{ line: number; source: string; target: string }>`
    select line, source, target from ${table} where action = 'exists' order by line limit ${maxErrors}`.execute(
    trx,
  );
  return {
    imported: count("create") + count("write"),
    skipped: count("skip"),
    existing: count("exists"),
    errors: existing.map((row) => ({
      ...row,
      reason: "SOURCE_ALREADY_EXISTS",
      message: "The project has a redirect with this source.",
    })),
  };
}

/** Takes that many ids of the project and gives the first: new redirects get them in the order of their lines. */
async function takeIds(trx: Transaction<Schema>, projectId: number, count: number): Promise<number> {
  const { next_id: next } = await trx
    .updateTable("project")
    .set((eb) => ({ next_id: eb("next_id", "+", count) }))
    .where("id", "=", projectId)
    .returning("next_id")
    .executeTakeFirstOrThrow();
  if (next - 1 > maxId) throw errors.create("PROJECT_FULL");
  return next - count;
}
