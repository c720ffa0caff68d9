import { sql, type Transaction } from "kysely";
import type { Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import type { ImportError } from "./import-result.ts";
import type { ImportTables } from "./import-tables.ts";

export interface ApplyOptions {
  readonly tables: ImportTables;
  readonly projectId: number;
  /** The id of the first row if all become new items, for which the rows' hashes are. */
  readonly firstId: number;
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

type Action = "create" | "write" | "skip" | "exists";

/**
 * Decides over each gathered row, and writes the drafts.
 * - `create`: nothing has its source, or what has it gives it up with a pending change.
 * - `write`: a draft or a published redirect has it; a pending deletion becomes an update.
 * - `skip`: it says what is there already.
 * - `exists`: it may not be overwritten.
 */
export async function applyImport(trx: Transaction<Schema>, options: ApplyOptions): Promise<Applied> {
  const { projectId, maxErrors } = options;
  const rows = sql.raw(options.tables.rows);
  const found = sql.raw(options.tables.found);
  await findExisting(trx, options);
  const counts = await countActions(trx, options.tables);
  const count = (action: Action): number => counts.get(action) ?? 0;
  await createDrafts(trx, options, counts);
  if (count("write") > 0)
    await sql`
      insert into draft (project_id, item_id, change, kind, type, source, target, status, hash, created_at)
      select ${projectId}, f.item_id, 'UPDATE', 'redirect', type, source, target, status,
        item_hash(f.item_id, 'redirect', type, source, target, status, null, null), ${Date.now()}
      from ${found} f cross join ${rows} r on r.line = f.line where f.action = 'write' order by f.item_id
      on conflict (project_id, item_id) do update set change = iif(change = 'CREATE', 'CREATE', 'UPDATE'),
        type = excluded.type, source = excluded.source, target = excluded.target, status = excluded.status,
        hash = excluded.hash`.execute(trx);

  const { rows: existing } = await sql<{ line: number; source: string; target: string }>`
    select f.line, source, target from ${found} f cross join ${rows} r on r.line = f.line
    where f.action = 'exists' order by f.line limit ${maxErrors}`.execute(trx);
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

/** Every row that is not `create`. */
async function findExisting(
  trx: Transaction<Schema>,
  { tables, projectId, overwrite }: ApplyOptions,
): Promise<void> {
  const same = (name: string) =>
    sql.raw(`${name}.type = r.type and ${name}.target = r.target and ${name}.status = r.status`);
  await sql`
    insert into ${sql.raw(tables.found)}
    select r.line, coalesce(d.item_id, i.id),
      case when ${overwrite ? 0 : 1} then 'exists'
        when d.item_id is not null then iif(${same("d")}, 'skip', 'write')
        when pending.change is null and ${same("i")} then 'skip'
        else 'write' end
    from ${sql.raw(tables.rows)} r
    left join draft d on d.project_id = ${projectId} and d.kind = 'redirect' and d.source = r.source and d.change <> 'DELETE'
    left join item i on i.project_id = ${projectId} and i.kind = 'redirect' and i.source = r.source
    left join draft pending on pending.project_id = ${projectId} and pending.item_id = i.id
    where d.item_id is not null or i.id is not null and pending.change is not 'UPDATE'
    order by r.line`.execute(trx);
}

async function countActions(trx: Transaction<Schema>, tables: ImportTables): Promise<Map<Action, number>> {
  const found = sql.raw(tables.found);
  const { rows } = await sql<{ action: Action; count: number }>`
    select action, count(*) as count from ${found} group by action
    union all select 'create', (select count(*) from ${sql.raw(tables.rows)}) - (select count(*) from ${found})`.execute(
    trx,
  );
  return new Map(rows.map(({ action, count }) => [action, count]));
}

/** New redirects get their ids in the order of their lines. A hash that is for another id is made again. */
async function createDrafts(
  trx: Transaction<Schema>,
  { tables, projectId, firstId }: ApplyOptions,
  counts: ReadonlyMap<Action, number>,
): Promise<void> {
  const first = await takeIds(trx, projectId, counts.get("create") ?? 0);
  const found = sql.raw(tables.found);
  const rows = sql.raw(tables.rows);
  const created =
    counts.size === 1 // all of them
      ? sql`select *, item_id + ${first - firstId} as id from ${rows} order by line`
      : sql`select *, ${first} - 1 + row_number() over (order by line) as id from ${rows}
          where line not in (select line from ${found})`;
  await sql`
    insert into draft (project_id, item_id, change, kind, type, source, target, status, hash, created_at)
    select ${projectId}, id, 'CREATE', 'redirect', type, source, target, status,
      iif(id = item_id, hash, item_hash(id, 'redirect', type, source, target, status, null, null)), ${Date.now()}
    from (${created})`.execute(trx);
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
