import { formatItem, type Page, type Redirect } from "@posthouse/protocol";
import { checkPage, checkRedirect, type Problem } from "@posthouse/rules";
import { type Selectable, sql, type Transaction } from "kysely";
import type { ManagerConfig } from "../config.ts";
import type { Database } from "../database/database.ts";
import type { ChangeType, DraftTable, ItemColumns, Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { itemColumnNames, itemOf, pageColumns, redirectColumns, redirectOrPage } from "./item-values.ts";

/** A pending change. Its id is the item's. */
export type Draft = {
  readonly id: number;
  readonly kind: Kind;
  readonly change: ChangeType;
  readonly createdAt: string;
} & { readonly redirect?: Redirect; readonly page?: Page };

/** What is to become of a project at its next publish: at most one draft per item. */
export interface DraftStore {
  createRedirect(projectId: number, redirect: Redirect): Promise<Draft>;
  createPage(projectId: number, page: Page): Promise<Draft>;
  updateRedirect(projectId: number, id: number, redirect: Redirect): Promise<Draft>;
  updatePage(projectId: number, id: number, page: Page): Promise<Draft>;
  /** Marks a published item for deletion; a new one that was never published is forgotten: undefined. */
  remove(projectId: number, kind: Kind, id: number): Promise<Draft | undefined>;
  get(projectId: number, id: number): Promise<Draft>;
  list(projectId: number, kinds: readonly Kind[], after: number, limit: number): Promise<Draft[]>;
  discard(projectId: number, id: number): Promise<void>;
}

const maxId = 0xffff_ffff;

export function createDraftStore({ read, write }: Database, limits: ManagerConfig["limits"]): DraftStore {
  const create = (projectId: number, columns: ItemColumns): Promise<Draft> =>
    write.transaction().execute(async (trx) => {
      const { id } = await trx
        .updateTable("project")
        .set((eb) => ({ next_id: eb("next_id", "+", 1) }))
        .where("id", "=", projectId)
        .returning(sql<number>`next_id - 1`.as("id"))
        .executeTakeFirstOrThrow();
      if (id > maxId) throw errors.create("PROJECT_FULL");
      return save(trx, projectId, id, "CREATE", columns);
    });

  const update = (projectId: number, id: number, columns: ItemColumns): Promise<Draft> =>
    write.transaction().execute(async (trx) => {
      const change = (await isPublished(trx, projectId, columns.kind, id)) ? "UPDATE" : "CREATE";
      const known = change === "UPDATE" || (await draftOf(trx, projectId, columns.kind, id)) !== undefined;
      if (!known) throw errors.create("ITEM_NOT_FOUND", { kind: columns.kind, id });
      return save(trx, projectId, id, change, columns);
    });

  async function save(
    trx: Transaction<Schema>,
    projectId: number,
    id: number,
    change: ChangeType,
    columns: ItemColumns,
  ): Promise<Draft> {
    await refuseTaken(trx, projectId, id, columns);
    if (columns.kind === "page") await refuseTooLarge(trx, projectId, id, columns.content ?? "");
    const hash = sql<Uint8Array>`sha256(${formatItem(itemOf(id, columns))})`;
    const row = await trx
      .insertInto("draft")
      .values({ project_id: projectId, item_id: id, change, ...columns, hash, created_at: Date.now() })
      .onConflict((oc) => oc.columns(["project_id", "item_id"]).doUpdateSet({ change, ...columns, hash }))
      .returningAll()
      .executeTakeFirstOrThrow();
    return draftFrom(row);
  }

  async function refuseTooLarge(trx: Transaction<Schema>, projectId: number, id: number, content: string) {
    const bytes = Buffer.byteLength(content);
    if (bytes > limits.page) throw errors.create("PAGE_TOO_LARGE", { bytes, limit: limits.page });
    const { rows } = await sql<{ total: number }>`
      select coalesce(sum(octet_length(content)), 0) as total from (
        select content from draft where project_id = ${projectId} and kind = 'page' and change <> 'DELETE'
          and item_id <> ${id}
        union all select content from item where project_id = ${projectId} and kind = 'page' and id <> ${id}
          and id not in (select item_id from draft where project_id = ${projectId} and kind = 'page'))`.execute(
      trx,
    );
    if ((rows[0]?.total ?? 0) + bytes > limits.pages_of_project)
      throw errors.create("PAGES_TOO_LARGE", { limit: limits.pages_of_project });
  }

  return {
    createRedirect: async (projectId, redirect) => create(projectId, checkedRedirect(redirect)),
    createPage: async (projectId, page) => create(projectId, checkedPage(page)),
    updateRedirect: async (projectId, id, redirect) => update(projectId, id, checkedRedirect(redirect)),
    updatePage: async (projectId, id, page) => update(projectId, id, checkedPage(page)),
    remove: (projectId, kind, id) =>
      write.transaction().execute(async (trx) => {
        const { rows } = await sql<Selectable<DraftTable>>`
          insert into draft (project_id, item_id, change, ${sql.raw(itemColumnNames.join())}, hash, created_at)
          select project_id, id, 'DELETE', ${sql.raw(itemColumnNames.join())}, hash, ${Date.now()} from item
          where project_id = ${projectId} and id = ${id} and kind = ${kind}
          on conflict (project_id, item_id) do update set change = excluded.change, type = excluded.type,
            source = excluded.source, target = excluded.target, status = excluded.status,
            content = excluded.content, content_type = excluded.content_type, hash = excluded.hash
          returning *`.execute(trx);
        if (rows[0]) return draftFrom(rows[0]);
        if (!(await draftOf(trx, projectId, kind, id))) throw errors.create("ITEM_NOT_FOUND", { kind, id });
        await trx.deleteFrom("draft").where("project_id", "=", projectId).where("item_id", "=", id).execute();
        return undefined;
      }),
    async get(projectId, id) {
      const row = await read
        .selectFrom("draft")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("item_id", "=", id)
        .executeTakeFirst();
      if (!row) throw errors.create("DRAFT_NOT_FOUND", { id });
      return draftFrom(row);
    },
    async list(projectId, kinds, after, limit) {
      const rows = await read
        .selectFrom("draft")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("kind", "in", kinds)
        .where("item_id", ">", after)
        .orderBy("item_id")
        .limit(limit)
        .execute();
      return rows.map(draftFrom);
    },
    async discard(projectId, id) {
      const { numDeletedRows } = await write
        .deleteFrom("draft")
        .where("project_id", "=", projectId)
        .where("item_id", "=", id)
        .executeTakeFirstOrThrow();
      if (numDeletedRows === 0n) throw errors.create("DRAFT_NOT_FOUND", { id });
    },
  };
}

/** A source stays taken by the published item that has it until its deletion or change is published. */
async function refuseTaken(trx: Transaction<Schema>, projectId: number, id: number, columns: ItemColumns) {
  const { rows } = await sql`
    select 1 from item where project_id = ${projectId} and kind = ${columns.kind} and source = ${columns.source}
      and id <> ${id}
    union all select 1 from draft where project_id = ${projectId} and kind = ${columns.kind}
      and source = ${columns.source} and change <> 'DELETE' and item_id <> ${id}`.execute(trx);
  if (rows.length > 0) throw errors.create("SOURCE_IN_USE", { source: columns.source });
}

async function isPublished(trx: Transaction<Schema>, projectId: number, kind: Kind, id: number) {
  const row = await trx
    .selectFrom("item")
    .select("id")
    .where("project_id", "=", projectId)
    .where("id", "=", id)
    .where("kind", "=", kind)
    .executeTakeFirst();
  return row !== undefined;
}

function draftOf(trx: Transaction<Schema>, projectId: number, kind: Kind, id: number) {
  return trx
    .selectFrom("draft")
    .select("item_id")
    .where("project_id", "=", projectId)
    .where("item_id", "=", id)
    .where("kind", "=", kind)
    .executeTakeFirst();
}

function draftFrom(row: Selectable<DraftTable>): Draft {
  const { item_id: id, kind, change } = row;
  return {
    id,
    kind,
    change,
    [kind]: redirectOrPage(row),
    createdAt: new Date(row.created_at).toISOString(),
  };
}

function checkedRedirect(redirect: Redirect): ItemColumns {
  refuseProblems("REDIRECT_INVALID", checkRedirect(redirect));
  return redirectColumns(redirect);
}

function checkedPage(page: Page): ItemColumns {
  const problems = checkPage(page).filter(({ code }) => code !== "CONTENT_TOO_LARGE"); // limits.page says what is
  refuseProblems("PAGE_INVALID", problems);
  return pageColumns(page);
}

function refuseProblems(code: "REDIRECT_INVALID" | "PAGE_INVALID", problems: readonly Problem[]): void {
  const problem = problems.find(({ severity }) => severity === "error");
  if (!problem) return;
  throw errors.create(code, { reason: problem.message }, problem.hint ? { hint: problem.hint } : {});
}
