import { sql, type Transaction } from "kysely";
import type { ChangeType, Kind, Schema, VersionAction } from "../database/schema.ts";
import { updateHashTree } from "./hash-tree.ts";
import { itemLine } from "./item-line.ts";
import type { NextItems } from "./next-items.ts";
import type { Project } from "./project.ts";

interface Counts {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface VersionCounts {
  readonly redirects: Counts;
  readonly pages: Counts;
}

export interface WrittenVersion extends VersionCounts {
  readonly version: number;
  readonly hash: string;
}

export interface NewVersion {
  readonly project: Project;
  readonly items: NextItems;
  readonly action: VersionAction;
  /** Name of whoever makes it. */
  readonly by: string;
  readonly restored?: number;
}

/**
 * Makes a project's next version of the chosen items; undefined when nothing was chosen. A few statements over what
 * changes, so that it costs that, whatever the size of the project.
 */
export async function writeVersion(
  trx: Transaction<Schema>,
  { project, items, action, by, restored }: NewVersion,
): Promise<WrittenVersion | undefined> {
  const counts = await countChanges(trx, project.id, items);
  if (counts === undefined) return undefined;
  const now = Date.now();
  const grown = ({ created, deleted }: Counts): number => created - deleted;
  const { version } = await trx
    .updateTable("project")
    .set((eb) => ({
      version: eb("version", "+", 1),
      redirects: eb("redirects", "+", grown(counts.redirects)),
      pages: eb("pages", "+", grown(counts.pages)),
      published_at: now,
    }))
    .where("id", "=", project.id)
    .returning("version")
    .executeTakeFirstOrThrow();
  await recordChanges(trx, project.id, items, version);
  await applyItems(trx, project.id, items, version);
  const hash = await updateHashTree(trx, project.id, version);
  await trx.updateTable("project").set({ hash }).where("id", "=", project.id).execute();
  await trx
    .insertInto("version")
    .values({
      project_id: project.id,
      version,
      hash,
      published_at: now,
      published_by: by,
      action,
      restored: restored ?? null,
      counts: JSON.stringify(counts),
    })
    .execute();
  return { version, hash: Buffer.from(hash).toString("hex"), ...counts };
}

async function countChanges(
  trx: Transaction<Schema>,
  projectId: number,
  items: NextItems,
): Promise<VersionCounts | undefined> {
  const { rows } = await sql<{ kind: Kind; change: ChangeType; count: number }>`
    select kind, change, count(*) as count from ${sql.raw(items)} where project_id = ${projectId}
    group by kind, change`.execute(trx);
  if (rows.length === 0) return undefined;
  const count = (kind: Kind, change: ChangeType): number =>
    rows.find((row) => row.kind === kind && row.change === change)?.count ?? 0;
  const of = (kind: Kind): Counts => ({
    created: count(kind, "CREATE"),
    updated: count(kind, "UPDATE"),
    deleted: count(kind, "DELETE"),
  });
  return { redirects: of("redirect"), pages: of("page") };
}

async function recordChanges(
  trx: Transaction<Schema>,
  projectId: number,
  items: NextItems,
  version: number,
): Promise<void> {
  await sql`
    insert into change (project_id, version, id, before)
    select n.project_id, ${version}, n.item_id, iif(i.id is null, null, ${itemLine("i")})
    from ${sql.raw(items)} n left join item i on i.project_id = n.project_id and i.id = n.item_id
    where n.project_id = ${projectId} order by n.item_id`.execute(trx);
}

/** What gives up its source goes first, so that another item may take it in the same version. */
async function applyItems(
  trx: Transaction<Schema>,
  projectId: number,
  items: NextItems,
  version: number,
): Promise<void> {
  const next = sql.raw(items);
  await sql`
    delete from item where project_id = ${projectId} and id in (
      select n.item_id from ${next} n cross join item i on i.project_id = n.project_id and i.id = n.item_id
      where n.project_id = ${projectId} and (n.change = 'DELETE' or n.source <> i.source))`.execute(trx);
  await sql`
    insert into item (project_id, id, kind, type, source, target, status, content, content_type, hash, version)
    select project_id, item_id, kind, type, source, target, status, content, content_type, hash, ${version}
    from ${next} where project_id = ${projectId} and change <> 'DELETE' order by item_id
    on conflict (project_id, id) do update set type = excluded.type, source = excluded.source,
      target = excluded.target, status = excluded.status, content = excluded.content,
      content_type = excluded.content_type, hash = excluded.hash, version = excluded.version`.execute(trx);
}
