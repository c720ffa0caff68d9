import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { ChangeType, ItemColumns, Kind } from "../database/schema.ts";
import { itemColumnNames } from "./item-values.ts";

export interface ItemQuery {
  readonly projectId: number;
  readonly kind: Kind;
  /** Only items whose id is larger. */
  readonly after: number;
  readonly limit: number;
  readonly offset?: number;
  /** Only items whose source, path or target holds this text. */
  readonly search?: string | undefined;
}

export type ItemRow = ItemColumns & { readonly id: number; readonly draft: ChangeType | null };

/** Published items in id order, each with the kind of its pending change. */
export interface ItemStore {
  list(query: ItemQuery): Promise<ItemRow[]>;
}

export function createItemStore({ read }: Database): ItemStore {
  return {
    async list({ projectId, kind, after, limit, offset = 0, search }) {
      let query = read
        .selectFrom("item")
        .leftJoin("draft", (join) =>
          join.onRef("draft.project_id", "=", "item.project_id").onRef("draft.item_id", "=", "item.id"),
        )
        .select(["item.id", "draft.change as draft"])
        .select(itemColumnNames.map((name) => `item.${name}` as const))
        .where("item.project_id", "=", projectId)
        .where("item.kind", "=", kind)
        .where("item.id", ">", after)
        .orderBy("item.id")
        .limit(limit)
        .offset(offset);
      if (search !== undefined && search !== "")
        query = query.where(
          sql<boolean>`(instr(lower(item.source), lower(${search})) or instr(lower(item.target), lower(${search})))`,
        );
      return query.execute();
    },
  };
}
