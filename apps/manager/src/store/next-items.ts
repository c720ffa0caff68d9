/**
 * What the next version changes, as rows like drafts: `draft` itself when all drafts are published, else the temporary
 * table `next_item`, filled and emptied inside the transaction that makes the version.
 */
import { sql, type Transaction } from "kysely";
import type { Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { itemColumnNames } from "./item-values.ts";

export type NextItems = "draft" | "temp.next_item";

const columns = sql.raw(itemColumnNames.join());
const columnsOfLine = sql.raw(
  itemColumnNames
    .map((name) => `coalesce(item_column(old, '${name}'), iif(old is null, i.${name}, null))`)
    .join(),
);

async function createTable(trx: Transaction<Schema>): Promise<void> {
  await sql`create temp table if not exists next_item (project_id integer, item_id integer, change text, kind text,
    type text, source text, target text, status text, content text, content_type text, hash blob,
    primary key (project_id, item_id)) without rowid`.execute(trx);
  await clearNextItems(trx);
}

export async function clearNextItems(trx: Transaction<Schema>): Promise<void> {
  await sql`delete from temp.next_item`.execute(trx);
}

/** Chooses some drafts. @throws DRAFT_NOT_FOUND, PUBLISH_INCOMPLETE */
export async function chooseDrafts(
  trx: Transaction<Schema>,
  projectId: number,
  ids: readonly number[],
): Promise<NextItems> {
  await createTable(trx);
  const chosen = sql`select value from json_each(${JSON.stringify(ids)})`;
  await sql`
    insert into temp.next_item select project_id, item_id, change, ${columns}, hash from draft
    where project_id = ${projectId} and item_id in (${chosen})`.execute(trx);
  const { rows: missing } = await sql<{ id: number }>`
    select value as id from (${chosen}) where value not in (select item_id from temp.next_item) limit 1`.execute(
    trx,
  );
  if (missing[0]) throw errors.create("DRAFT_NOT_FOUND", missing[0]);
  const { rows: taken } = await sql<{ id: number; kind: Kind; source: string }>`
    select i.id, i.kind, i.source from temp.next_item n
    cross join item i on i.project_id = n.project_id and i.kind = n.kind and i.source = n.source and i.id <> n.item_id
    where n.change <> 'DELETE' and i.id not in (select item_id from temp.next_item) limit 1`.execute(trx);
  if (taken[0]) throw errors.create("PUBLISH_INCOMPLETE", taken[0]);
  return "temp.next_item";
}

/**
 * What leads from the published items back to those of an earlier version: what each item was before its first change
 * since (beside `min(version)`, SQLite takes `before` from the row that has it). @throws DRAFTS_IN_THE_WAY
 */
export async function chooseVersion(
  trx: Transaction<Schema>,
  projectId: number,
  version: number,
): Promise<NextItems> {
  await createTable(trx);
  await sql`
    insert into temp.next_item
    select ${projectId}, c.id, iif(i.id is null, 'CREATE', iif(old is null, 'DELETE', 'UPDATE')), ${columnsOfLine},
      iif(old is null, i.hash, sha256(old))
    from (select id, min(version), before as old from change
        where project_id = ${projectId} and version > ${version} group by id) c
    left join item i on i.project_id = ${projectId} and i.id = c.id
    where i.hash is not iif(old is null, null, sha256(old))`.execute(trx);
  const { rows } = await sql<{ count: number; id: number | null }>`
    select count(*) as count, min(item_id) as id from (
      select item_id from draft where project_id = ${projectId}
        and item_id in (select item_id from temp.next_item)
      union select d.item_id from temp.next_item n cross join draft d on d.project_id = ${projectId}
        and d.kind = n.kind and d.source = n.source and d.change <> 'DELETE' where n.change <> 'DELETE')`.execute(
    trx,
  );
  const [{ count, id } = { count: 0, id: null }] = rows;
  if (count > 0) throw errors.create("DRAFTS_IN_THE_WAY", { count, id: id ?? 0 });
  return "temp.next_item";
}

/** The deletion of all published items of a kind. */
export async function chooseAll(trx: Transaction<Schema>, projectId: number, kind: Kind): Promise<NextItems> {
  await createTable(trx);
  await sql`
    insert into temp.next_item select project_id, id, 'DELETE', ${columns}, hash from item
    where project_id = ${projectId} and kind = ${kind}`.execute(trx);
  return "temp.next_item";
}
