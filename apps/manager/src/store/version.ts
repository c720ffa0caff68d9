import type { Page, Redirect } from "@posthouse/protocol";
import { type RawBuilder, type Selectable, sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { ChangeType, Kind, VersionAction, VersionTable } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { itemLine } from "./item-line.ts";
import type { ItemSummary } from "./item-values.ts";
import type { VersionCounts } from "./version-write.ts";

export interface Version extends VersionCounts {
  readonly version: number;
  readonly hash: string;
  readonly action: VersionAction;
  /** The version that this one restored. */
  readonly restored?: number;
  readonly publishedAt: string;
  readonly publishedBy: string;
}

/** What became of an item between two versions: no `before` for a new one, no `after` for one that is gone. */
export interface Difference<T = ItemSummary> {
  readonly id: number;
  readonly kind: Kind;
  readonly change: ChangeType;
  readonly before?: T;
  readonly after?: T;
}

export interface DifferenceQuery {
  readonly projectId: number;
  readonly from: number;
  readonly to: number;
  /** Only items whose id is larger. */
  readonly after: number;
  readonly limit: number;
}

/** Every version that a project ever had. */
export interface VersionStore {
  /** Newest first, those below `before`. */
  list(projectId: number, before: number | undefined, limit: number): Promise<Version[]>;
  /** @throws VERSION_NOT_FOUND */
  get(projectId: number, version: number): Promise<Version>;
  /** In id order, pages without their content; `next` is the id to go on after. @throws VERSION_NOT_FOUND */
  difference(query: DifferenceQuery): Promise<{ items: Difference[]; next?: number }>;
  /** One item of a difference, whole. @throws VERSION_NOT_FOUND, CHANGE_NOT_FOUND */
  one(
    query: Omit<DifferenceQuery, "after" | "limit"> & { readonly id: number },
  ): Promise<Difference<Redirect | Page>>;
}

type Parsed<T> = T & { readonly id: number; readonly kind: Kind };

interface Row<T> {
  readonly id: number;
  readonly before: Parsed<T> | undefined;
  readonly after: Parsed<T> | undefined;
  readonly same: boolean;
}

interface Range {
  readonly projectId: number;
  readonly low: number;
  readonly high: number;
  readonly ids: RawBuilder<unknown>;
  readonly limit: number;
  /** SQL function to which each line is given. */
  readonly shape: RawBuilder<unknown>;
}

export function createVersionStore({ scan }: Database): VersionStore {
  async function get(projectId: number, version: number): Promise<Version> {
    const row = await scan
      .selectFrom("version")
      .selectAll()
      .where("project_id", "=", projectId)
      .where("version", "=", version)
      .executeTakeFirst();
    if (!row) throw errors.create("VERSION_NOT_FOUND", { version });
    return viewOf(row);
  }

  /** What items were before and after, when they changed later than version `low` and not later than `high`. */
  async function read<T>({ projectId, low, high, ids, limit, shape }: Range): Promise<Row<T>[]> {
    const at = (version: number) => sql`(
      select before from change c indexed by change_of_item where c.project_id = ${projectId} and c.id = changed.id and c.version > ${version}
      order by c.version limit 1)`;
    const later = sql`exists (select 1 from change c indexed by change_of_item where c.project_id = ${projectId} and c.id = changed.id
      and c.version > ${high})`;
    const versions = high === low + 1 ? sql`version = ${high}` : sql`version > ${low} and version <= ${high}`;
    const { rows } = await sql<{ id: number; before: string | null; after: string | null; same: number }>`
      select id, ${shape}(before) as before, ${shape}(after) as after, before is after as same from (
        select changed.id, ${at(low)} as before,
          iif(${later}, ${at(high)}, iif(i.id is null, null, ${itemLine("i")})) as after
        from (select distinct id from change where project_id = ${projectId} and ${versions} and ${ids}
          order by id limit ${limit}) changed
        left join item i on i.project_id = ${projectId} and i.id = changed.id)
      order by id`.execute(scan);
    const parse = (text: string | null) => (text === null ? undefined : (JSON.parse(text) as Parsed<T>));
    return rows.map(({ id, before, after, same }) => ({
      id,
      before: parse(before),
      after: parse(after),
      same: same === 1,
    }));
  }

  return {
    async list(projectId, before, limit) {
      const rows = await scan
        .selectFrom("version")
        .selectAll()
        .where("project_id", "=", projectId)
        .where("version", "<", before ?? Number.MAX_SAFE_INTEGER)
        .orderBy("version", "desc")
        .limit(limit)
        .execute();
      return rows.map(viewOf);
    },
    get,
    async difference({ projectId, from, to, after, limit }) {
      await Promise.all([get(projectId, from), get(projectId, to)]);
      const rows = await read<ItemSummary>({
        ...rangeOf(projectId, from, to),
        ids: sql`id > ${after}`,
        limit: limit + 1,
        shape: sql`item_summary`,
      });
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      return {
        items: shown.flatMap((row) => differenceOf(row, from > to) ?? []),
        ...(rows.length > limit && last ? { next: last.id } : {}),
      };
    },
    async one({ projectId, from, to, id }) {
      await Promise.all([get(projectId, from), get(projectId, to)]);
      const [row] = await read<Redirect | Page>({
        ...rangeOf(projectId, from, to),
        ids: sql`id = ${id}`,
        limit: 1,
        shape: sql``,
      });
      const found = row && differenceOf(row, from > to);
      if (!found) throw errors.create("CHANGE_NOT_FOUND", { id, from, to });
      return found;
    },
  };
}

function rangeOf(projectId: number, from: number, to: number) {
  return { projectId, low: Math.min(from, to), high: Math.max(from, to) };
}

function differenceOf<T>(row: Row<T>, isBackwards: boolean): Difference<T> | undefined {
  const [old, now] = isBackwards ? [row.after, row.before] : [row.before, row.after];
  const kind = old?.kind ?? now?.kind;
  if (row.same || kind === undefined) return undefined;
  const valuesOf = ({ id: _, kind: __, ...values }: Parsed<T>): T => values as T;
  return {
    id: row.id,
    kind,
    change: old === undefined ? "CREATE" : now === undefined ? "DELETE" : "UPDATE",
    ...(old === undefined ? {} : { before: valuesOf(old) }),
    ...(now === undefined ? {} : { after: valuesOf(now) }),
  };
}

function viewOf(row: Selectable<VersionTable>): Version {
  return {
    version: row.version,
    hash: Buffer.from(row.hash).toString("hex"),
    action: row.action,
    ...(row.restored === null ? {} : { restored: row.restored }),
    publishedAt: new Date(row.published_at).toISOString(),
    publishedBy: row.published_by,
    ...(JSON.parse(row.counts) as VersionCounts),
  };
}
