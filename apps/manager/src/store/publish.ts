import { sql, type Transaction } from "kysely";
import type { Database } from "../database/database.ts";
import type { ChangeType, Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import type { Project } from "./project.ts";

export interface PublishedCounts {
  readonly created: number;
  readonly updated: number;
  readonly deleted: number;
}

export interface Published {
  readonly version: number;
  readonly hash: string;
  readonly redirects: PublishedCounts;
  readonly pages: PublishedCounts;
}

export interface Publisher {
  /** Makes all drafts of a project its next version. @throws NOTHING_TO_PUBLISH, PUBLISH_IN_PROGRESS */
  publish(project: Project, by: string): Promise<Published>;
}

/**
 * Publishing is one transaction of a few statements over the drafts: it costs what changed, whatever the size of the
 * project, because only the leaves and branches of the hash tree above a changed item are hashed again.
 */
export function createPublisher(
  { write }: Database,
  onPublished: (project: Project, published: Published, seconds: number) => void,
): Publisher {
  const running = new Set<number>();
  return {
    async publish(project, by) {
      if (running.has(project.id)) throw errors.create("PUBLISH_IN_PROGRESS");
      running.add(project.id);
      const begun = performance.now();
      try {
        const published = await write.transaction().execute((trx) => publishIn(trx, project, by));
        onPublished(project, published, (performance.now() - begun) / 1000);
        return published;
      } finally {
        running.delete(project.id);
      }
    },
  };
}

async function publishIn(trx: Transaction<Schema>, project: Project, by: string): Promise<Published> {
  const counts = await countDrafts(trx, project.id);
  const created = (kind: Kind): number => counts(kind, "CREATE") - counts(kind, "DELETE");
  if (counts.total === 0)
    throw errors.create("NOTHING_TO_PUBLISH", { project: `${project.namespace}/${project.code}` });
  const { version } = await trx
    .updateTable("project")
    .set((eb) => ({
      version: eb("version", "+", 1),
      redirects: eb("redirects", "+", created("redirect")),
      pages: eb("pages", "+", created("page")),
      published_at: Date.now(),
    }))
    .where("id", "=", project.id)
    .returning("version")
    .executeTakeFirstOrThrow();
  await recordChanges(trx, project.id, version);
  await applyDrafts(trx, project.id);
  const hash = await updateTree(trx, project.id, version);
  await trx.updateTable("project").set({ hash }).where("id", "=", project.id).execute();
  await trx
    .insertInto("version")
    .values({ project_id: project.id, version, hash, published_at: Date.now(), published_by: by })
    .execute();
  const of = (kind: Kind): PublishedCounts => ({
    created: counts(kind, "CREATE"),
    updated: counts(kind, "UPDATE"),
    deleted: counts(kind, "DELETE"),
  });
  return { version, hash: Buffer.from(hash).toString("hex"), redirects: of("redirect"), pages: of("page") };
}

interface DraftCounts {
  (kind: Kind, change: ChangeType): number;
  readonly total: number;
}

async function countDrafts(trx: Transaction<Schema>, projectId: number): Promise<DraftCounts> {
  const rows = await trx
    .selectFrom("draft")
    .select(["kind", "change", (eb) => eb.fn.countAll<number>().as("count")])
    .where("project_id", "=", projectId)
    .groupBy(["kind", "change"])
    .execute();
  const total = rows.reduce((sum, { count }) => sum + count, 0);
  const of = (kind: Kind, change: ChangeType): number =>
    rows.find((row) => row.kind === kind && row.change === change)?.count ?? 0;
  return Object.assign(of, { total });
}

async function recordChanges(trx: Transaction<Schema>, projectId: number, version: number): Promise<void> {
  const line = (table: string, id: string) =>
    sql.raw(
      `item_line(${id}, ${table}.kind, ${table}.type, ${table}.source, ${table}.target, ${table}.status, ${table}.content, ${table}.content_type)`,
    );
  await sql`
    insert into change (project_id, version, id, before, after)
    select d.project_id, ${version}, d.item_id,
      case when i.id is not null then ${line("i", "i.id")} end,
      case when d.change <> 'DELETE' then ${line("d", "d.item_id")} end
    from draft d left join item i on i.project_id = d.project_id and i.id = d.item_id
    where d.project_id = ${projectId} order by d.item_id`.execute(trx);
}

async function applyDrafts(trx: Transaction<Schema>, projectId: number): Promise<void> {
  await sql`delete from item where project_id = ${projectId} and id in
    (select item_id from draft where project_id = ${projectId} and change = 'DELETE')`.execute(trx);
  await sql`
    insert into item (project_id, id, kind, type, source, target, status, content, content_type, hash)
    select project_id, item_id, kind, type, source, target, status, content, content_type, hash from draft
    where project_id = ${projectId} and change <> 'DELETE' order by item_id
    on conflict (project_id, id) do update set type = excluded.type, source = excluded.source,
      target = excluded.target, status = excluded.status, content = excluded.content,
      content_type = excluded.content_type, hash = excluded.hash`.execute(trx);
  await trx.deleteFrom("draft").where("project_id", "=", projectId).execute();
}

/** Hashes the leaves, then the branches, above what the version changed, then the root. */
async function updateTree(trx: Transaction<Schema>, projectId: number, version: number): Promise<Uint8Array> {
  for (const [level, bits] of [
    [1, 8],
    [2, 16],
  ] as const) {
    const changed = sql`select distinct id >> ${bits} as idx from change
      where project_id = ${projectId} and version = ${version}`;
    const children =
      level === 1
        ? sql`select project_id, id, hash from item`
        : sql`select project_id, idx as id, hash from node where level = 1`;
    await sql`delete from node where project_id = ${projectId} and level = ${level}
      and idx in (${changed})`.execute(trx);
    await sql`
      insert into node (project_id, level, idx, hash)
      select ${projectId}, ${level}, parent.idx, hash_node(child.id, child.hash order by child.id)
      from (${changed}) parent cross join (${children}) child
      where child.project_id = ${projectId} and child.id between parent.idx << 8 and (parent.idx << 8) + 255
      group by parent.idx`.execute(trx);
  }
  const { rows } = await sql<{ hash: Uint8Array }>`
    select hash_root(idx, hash order by idx) as hash from node
    where project_id = ${projectId} and level = 2`.execute(trx);
  const [root] = rows;
  if (!root) throw new Error("the hash of the whole is missing");
  return root.hash;
}
