import { formatItem, type Page, type Redirect } from "@posthouse/protocol";
import type { Problem } from "@posthouse/rules";
import { type Selectable, sql, type Transaction } from "kysely";
import type { ManagerConfig } from "../config.ts";
import type { Database } from "../database/database.ts";
import type { ChangeType, DraftTable, ItemColumns, Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { checkedPage, checkedRedirect, currentColumns, refuseTaken, refuseTooLarge } from "./draft-rules.ts";
import { itemColumnNames, itemOf, redirectOrPage, summaryOf } from "./item-values.ts";
import { type Actor, recordEvent, resourceOf } from "./journal-event.ts";

/** A pending change. Its id is the item's. */
export type Draft = {
  readonly id: number;
  readonly kind: Kind;
  readonly change: ChangeType;
  readonly createdAt: string;
} & { readonly redirect?: Redirect; readonly page?: Page };

export interface Discarded {
  readonly create: number;
  readonly update: number;
  readonly delete: number;
}

/**
 * What is to become of a project at its next publish: at most one draft per item. What changes it takes `by`, for the
 * journal. @throws ITEM_NOT_FOUND, DRAFT_NOT_FOUND, SOURCE_IN_USE, REDIRECT_INVALID, PAGE_INVALID, PAGE(S)_TOO_LARGE
 */
export interface DraftStore {
  createRedirect(projectId: number, by: Actor, redirect: Redirect): Promise<SavedRedirect>;
  createPage(projectId: number, by: Actor, page: Page): Promise<Draft>;
  updateRedirect(projectId: number, by: Actor, id: number, redirect: Redirect): Promise<SavedRedirect>;
  updatePage(projectId: number, by: Actor, id: number, page: Page): Promise<Draft>;
  /** Marks a published item for deletion; a new one that was never published is forgotten: undefined. */
  remove(projectId: number, by: Actor, kind: Kind, id: number): Promise<Draft | undefined>;
  /** Forgets one pending change. */
  discard(projectId: number, by: Actor, kind: Kind, id: number): Promise<void>;
  /** Forgets all pending changes of a kind. */
  discardAll(projectId: number, by: Actor, kind: Kind): Promise<Discarded>;
}

/** A draft, and what is doubtful with it. */
export interface SavedRedirect {
  readonly draft: Draft;
  readonly warnings: readonly Problem[];
}

const maxId = 0xffff_ffff;

export function createDraftStore({ write }: Database, limits: ManagerConfig["limits"]): DraftStore {
  const create = (projectId: number, by: Actor, columns: ItemColumns): Promise<Draft> =>
    write.transaction().execute(async (trx) => {
      const { id } = await trx
        .updateTable("project")
        .set((eb) => ({ next_id: eb("next_id", "+", 1) }))
        .where("id", "=", projectId)
        .returning(sql<number>`next_id - 1`.as("id"))
        .executeTakeFirstOrThrow();
      if (id > maxId) throw errors.create("PROJECT_FULL");
      const draft = await save(trx, projectId, id, "CREATE", columns);
      await record(trx, projectId, by, "CREATE", columns.kind, id, { after: summaryOf(columns) });
      return draft;
    });

  const update = (projectId: number, by: Actor, id: number, columns: ItemColumns): Promise<Draft> =>
    write.transaction().execute(async (trx) => {
      const { kind } = columns;
      const before = await currentColumns(trx, projectId, kind, id);
      if (!before) throw errors.create("ITEM_NOT_FOUND", { kind, id });
      const draft = await save(trx, projectId, id, before.published ? "UPDATE" : "CREATE", columns);
      const data = { before: summaryOf(before.columns), after: summaryOf(columns) };
      await record(trx, projectId, by, "UPDATE", kind, id, data);
      return draft;
    });

  async function save(
    trx: Transaction<Schema>,
    projectId: number,
    id: number,
    change: ChangeType,
    columns: ItemColumns,
  ): Promise<Draft> {
    await refuseTaken(trx, projectId, id, columns);
    if (columns.kind === "page") await refuseTooLarge(trx, projectId, id, columns.content ?? "", limits);
    const hash = sql<Uint8Array>`sha256(${formatItem(itemOf(id, columns))})`;
    const row = await trx
      .insertInto("draft")
      .values({ project_id: projectId, item_id: id, change, ...columns, hash, created_at: Date.now() })
      .onConflict((oc) => oc.columns(["project_id", "item_id"]).doUpdateSet({ change, ...columns, hash }))
      .returningAll()
      .executeTakeFirstOrThrow();
    return draftFrom(row);
  }

  return {
    async createRedirect(projectId, by, redirect) {
      const { columns, warnings } = checkedRedirect(redirect);
      return { draft: await create(projectId, by, columns), warnings };
    },
    createPage: async (projectId, by, page) => create(projectId, by, checkedPage(page)),
    async updateRedirect(projectId, by, id, redirect) {
      const { columns, warnings } = checkedRedirect(redirect);
      return { draft: await update(projectId, by, id, columns), warnings };
    },
    updatePage: async (projectId, by, id, page) => update(projectId, by, id, checkedPage(page)),
    remove: (projectId, by, kind, id) =>
      write.transaction().execute(async (trx) => {
        const before = await currentColumns(trx, projectId, kind, id);
        if (!before) throw errors.create("ITEM_NOT_FOUND", { kind, id });
        if (!before.published) {
          await discardOne(trx, projectId, by, kind, id);
          return undefined;
        }
        const row = await markDeleted(trx, projectId, id);
        await record(trx, projectId, by, "DELETE", kind, id, { before: summaryOf(before.columns) });
        return draftFrom(row);
      }),
    discard: (projectId, by, kind, id) =>
      write.transaction().execute((trx) => discardOne(trx, projectId, by, kind, id)),
    discardAll: (projectId, by, kind) =>
      write.transaction().execute((trx) => discardKind(trx, projectId, by, kind)),
  };
}

/** Writes the draft that deletes an item, over whatever was pending for it. */
async function markDeleted(trx: Transaction<Schema>, projectId: number, id: number) {
  const columns = sql.raw(itemColumnNames.join());
  const { rows } = await sql<Selectable<DraftTable>>`
    insert into draft (project_id, item_id, change, ${columns}, hash, created_at)
    select project_id, id, 'DELETE', ${columns}, hash, ${Date.now()} from item
    where project_id = ${projectId} and id = ${id}
    on conflict (project_id, item_id) do update set change = excluded.change, type = excluded.type,
      source = excluded.source, target = excluded.target, status = excluded.status,
      content = excluded.content, content_type = excluded.content_type, hash = excluded.hash
    returning *`.execute(trx);
  return rows[0] as Selectable<DraftTable>;
}

async function discardOne(trx: Transaction<Schema>, projectId: number, by: Actor, kind: Kind, id: number) {
  const row = await trx
    .deleteFrom("draft")
    .where("project_id", "=", projectId)
    .where("item_id", "=", id)
    .where("kind", "=", kind)
    .returningAll()
    .executeTakeFirst();
  if (!row) throw errors.create("DRAFT_NOT_FOUND", { id });
  const item = await currentColumns(trx, projectId, kind, id);
  if (item) await refuseTaken(trx, projectId, id, item.columns);
  const data = { scope: "SINGLE", changeType: row.change, entry: summaryOf(row) };
  await record(trx, projectId, by, "ROLLBACK", kind, id, data);
}

async function discardKind(
  trx: Transaction<Schema>,
  projectId: number,
  by: Actor,
  kind: Kind,
): Promise<Discarded> {
  const { rows } = await sql<{ change: ChangeType; count: number }>`
    select change, count(*) as count from draft where project_id = ${projectId} and kind = ${kind}
    group by change`.execute(trx);
  const count = (change: ChangeType): number => rows.find((row) => row.change === change)?.count ?? 0;
  const discarded = { create: count("CREATE"), update: count("UPDATE"), delete: count("DELETE") };
  if (rows.length === 0) return discarded;
  await trx.deleteFrom("draft").where("project_id", "=", projectId).where("kind", "=", kind).execute();
  await recordEvent(trx, {
    projectId,
    resource: resourceOf(kind),
    action: "ROLLBACK",
    by,
    data: { scope: "PROJECT", discarded },
  });
  return discarded;
}

function record(
  trx: Transaction<Schema>,
  projectId: number,
  by: Actor,
  action: "CREATE" | "UPDATE" | "DELETE" | "ROLLBACK",
  kind: Kind,
  resourceId: number,
  data: Record<string, unknown>,
): Promise<void> {
  return recordEvent(trx, { projectId, resource: resourceOf(kind), action, by, resourceId, data });
}

/** A row of `draft` as the API gives it. */
export function draftFrom(row: Selectable<DraftTable>): Draft {
  const { item_id: id, kind, change } = row;
  return {
    id,
    kind,
    change,
    [kind]: redirectOrPage(row),
    createdAt: new Date(row.created_at).toISOString(),
  };
}
