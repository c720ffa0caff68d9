/**
 * What people see of a project: published items and the new ones among the drafts, in one list, by id, by source or by
 * the version that changed them last; and the drafts alone.
 */
import type { Page, Redirect, RedirectStatus } from "@posthouse/protocol";
import { type RawBuilder, type Selectable, sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { ChangeType, DraftTable, ItemColumns, Kind } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { type Draft, draftFrom } from "./draft.ts";
import { type ItemSummary, redirectOrPage, summaryOf } from "./item-values.ts";

export const itemOrders = ["id", "source", "newest"] as const;
export type ItemOrder = (typeof itemOrders)[number];
export const draftFilters = ["none", "any", "CREATE", "UPDATE", "DELETE"] as const;
type DraftFilter = (typeof draftFilters)[number];

/** Where a walk stands: the last item it showed. `version` is null for a new item. */
export interface ItemPosition {
  readonly id: number;
  readonly source: string;
  readonly version: number | null;
}

export interface ItemSearchQuery {
  readonly projectId: number;
  readonly kind: Kind;
  readonly order: ItemOrder;
  readonly after?: ItemPosition | undefined;
  readonly limit: number;
  /** Items whose published or pending values are so. */
  readonly types?: readonly string[] | undefined;
  readonly status?: RedirectStatus | undefined;
  readonly search?: string | undefined;
  readonly draft?: DraftFilter | undefined;
}

/** An item as it is published, or as it will be when it is new; `pending` is what a changed one will be. */
export type FoundItem<T = ItemSummary> = T & {
  readonly id: number;
  readonly draft: ChangeType | null;
  /** The version that changed it last. */
  readonly version?: number;
  readonly pending?: T;
};

export interface ItemSearch {
  /** Newest changes first in the order `newest`; those not yet published before all. Pages without their content. */
  list(query: ItemSearchQuery): Promise<{ item: FoundItem; position: ItemPosition }[]>;
  /** @throws ITEM_NOT_FOUND */
  get(projectId: number, kind: Kind, id: number): Promise<FoundItem<Redirect | Page>>;
  /** Drafts in id order. Pages without their content. */
  drafts(query: DraftQuery): Promise<DraftSummary[]>;
  /** @throws DRAFT_NOT_FOUND */
  draft(projectId: number, id: number): Promise<{ draft: Draft; published?: Redirect | Page }>;
}

export interface DraftQuery {
  readonly projectId: number;
  readonly kinds: readonly Kind[];
  readonly change?: ChangeType | undefined;
  readonly after: number;
  readonly limit: number;
}

export type DraftSummary = Omit<Draft, "redirect" | "page"> & {
  readonly redirect?: ItemSummary;
  readonly page?: ItemSummary;
};

type Values = Omit<ItemColumns, "content"> & { readonly size: number | null };
type Prefixed = { readonly [Name in keyof Values as `next_${Name}`]: Values[Name] | null };
type Row = Values & Prefixed & { id: number; version: number | null; draft: ChangeType | null };

const valuesOf = (table: string, prefix = ""): string =>
  [
    ...["kind", "type", "source", "target", "status", "content_type"].map(
      (name) => `${table}.${name} as ${prefix}${name}`,
    ),
    `octet_length(${table}.content) as ${prefix}size`,
  ].join();
const published = sql.raw(`i.id, i.version, d.change as draft, ${valuesOf("i")}, ${valuesOf("d", "next_")}`);
const created = sql.raw(
  `d.item_id as id, null as version, d.change as draft, ${valuesOf("d")}, ${valuesOf("d", "next_")}`,
);

export function createItemSearch({ scan }: Database): ItemSearch {
  return {
    async list(query) {
      const { rows } = await listSql(query).execute(scan);
      return rows.map((row) => ({
        item: foundOf(row),
        position: { id: row.id, source: row.source, version: row.version },
      }));
    },
    async get(projectId, kind, id) {
      const [item, draft] = await scan
        .transaction()
        .execute(async (trx) => [
          await trx
            .selectFrom("item")
            .selectAll()
            .where("project_id", "=", projectId)
            .where("id", "=", id)
            .where("kind", "=", kind)
            .executeTakeFirst(),
          await trx
            .selectFrom("draft")
            .selectAll()
            .where("project_id", "=", projectId)
            .where("item_id", "=", id)
            .where("kind", "=", kind)
            .executeTakeFirst(),
        ]);
      const values = item ?? draft;
      if (!values) throw errors.create("ITEM_NOT_FOUND", { kind, id });
      return {
        ...redirectOrPage(values),
        id,
        draft: draft?.change ?? null,
        ...(item ? { version: item.version } : {}),
        ...(draft?.change === "UPDATE" ? { pending: redirectOrPage(draft) } : {}),
      };
    },
    async drafts({ projectId, kinds, change, after, limit }) {
      const { rows } = await sql<Values & { id: number; change: ChangeType; created_at: number }>`
        select d.item_id as id, d.change, d.created_at, ${sql.raw(valuesOf("d"))} from draft d
        where d.project_id = ${projectId} and d.item_id > ${after} and d.kind in (${sql.join(kinds)})
        ${change === undefined ? sql`` : sql`and d.change = ${change}`}
        order by d.item_id limit ${limit}`.execute(scan);
      return rows.map((row) => ({
        id: row.id,
        kind: row.kind,
        change: row.change,
        [row.kind]: summary(row),
        createdAt: new Date(row.created_at).toISOString(),
      }));
    },
    async draft(projectId, id) {
      const row: Selectable<DraftTable> | undefined = await scan
        .selectFrom("draft")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("item_id", "=", id)
        .executeTakeFirst();
      if (!row) throw errors.create("DRAFT_NOT_FOUND", { id });
      const item = await scan
        .selectFrom("item")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("id", "=", id)
        .executeTakeFirst();
      return { draft: draftFrom(row), ...(item ? { published: redirectOrPage(item) } : {}) };
    },
  };
}

/** Each part is read in order by an index, merged by SQLite, and only as far as the limit. */
function listSql(query: ItemSearchQuery): RawBuilder<Row> {
  const { projectId, kind, order, limit, draft } = query;
  const orders = {
    id: sql`id`,
    source: sql`source, id`,
    newest: sql`version desc nulls first, id desc`,
  };
  const end = sql`order by ${orders[order]} limit ${limit}`;
  const scope = (table: string) =>
    sql`${sql.ref(`${table}.project_id`)} = ${projectId} and ${sql.ref(`${table}.kind`)} = ${kind}`;
  const items = (drafts: RawBuilder<unknown>) => sql<Row>`
    select ${published} from item i ${drafts} join draft d on d.project_id = i.project_id and d.item_id = i.id
    where ${scope("i")} ${after(query, "i")} ${filters(query, ["i", "d"])}`;
  const news = sql<Row>`
    select ${created} from draft d
    where ${scope("d")} and d.change = 'CREATE' and d.change <> 'DELETE' ${after(query, "d")} ${filters(query, ["d"])}`;
  const changed = sql<Row>`
    select ${published} from draft d cross join item i on i.project_id = d.project_id and i.id = d.item_id
    where ${scope("d")} ${after(query, "i")} ${filters(query, ["i", "d"])}`;
  switch (draft) {
    case undefined:
      return sql<Row>`${items(sql`left`)} union all ${news} ${end}`;
    case "none":
      return sql<Row>`${items(sql`left`)} and d.item_id is null ${end}`;
    case "CREATE":
      return sql<Row>`${news} ${end}`;
    case "any":
      return sql<Row>`${changed} union all ${news} ${end}`;
    default:
      return sql<Row>`${changed} and d.change = ${draft} ${end}`;
  }
}

function after({ order, after: position }: ItemSearchQuery, table: "i" | "d"): RawBuilder<unknown> {
  if (!position) return sql``;
  const id = sql.ref(table === "i" ? "i.id" : "d.item_id");
  if (order === "id") return sql`and ${id} > ${position.id}`;
  if (order === "source") return sql`and ${sql.ref(`${table}.source`)} > ${position.source}`;
  if (position.version === null) return table === "i" ? sql`` : sql`and ${id} < ${position.id}`;
  if (table === "d") return sql`and false`;
  return sql`and (i.version, i.id) < (${position.version}, ${position.id})`;
}

function filters(
  { kind, types, status, search }: ItemSearchQuery,
  tables: readonly ("i" | "d")[],
): RawBuilder<unknown> {
  const some = (test: (table: string) => RawBuilder<unknown>): RawBuilder<unknown> =>
    sql`and (${sql.join(tables.map(test), sql` or `)})`;
  const column = (table: string, name: string) => sql.ref(`${table}.${name}`);
  const parts: RawBuilder<unknown>[] = [];
  if (types?.length) parts.push(some((table) => sql`${column(table, "type")} in (${sql.join(types)})`));
  if (status !== undefined) parts.push(some((table) => sql`${column(table, "status")} = ${status}`));
  if (search !== undefined && search !== "") {
    const other = kind === "redirect" ? "target" : "content";
    const holds = (table: string, name: string) =>
      sql`instr(lower(${column(table, name)}), lower(${search}))`;
    parts.push(some((table) => sql`${holds(table, "source")} or ${holds(table, other)}`));
  }
  return sql.join(parts, sql` `);
}

function summary({ size, ...values }: Values): ItemSummary {
  return summaryOf({ ...values, content: null }, size ?? 0);
}

function foundOf(row: Row): FoundItem {
  const next = row.draft === "UPDATE" ? nextOf(row) : undefined;
  return {
    ...summary(row),
    id: row.id,
    draft: row.draft,
    ...(row.version === null ? {} : { version: row.version }),
    ...(next ? { pending: summary(next) } : {}),
  };
}

function nextOf(row: Row): Values {
  return {
    kind: row.kind,
    type: row.next_type ?? row.type,
    source: row.next_source ?? row.source,
    target: row.next_target,
    status: row.next_status,
    content_type: row.next_content_type,
    size: row.next_size,
  };
}
