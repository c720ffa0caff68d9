import type { Database } from "../database/database.ts";
import type { ItemColumns, Kind } from "../database/schema.ts";
import { itemColumnNames } from "./item-values.ts";

export interface ItemQuery {
  readonly projectId: number;
  readonly kind: Kind;
  /** Only items whose id is larger. */
  readonly after: number;
  readonly limit: number;
  readonly offset?: number;
}

export type ItemRow = ItemColumns & { readonly id: number };

/** Published items in id order, as agents read them. */
export interface ItemStore {
  list(query: ItemQuery): Promise<ItemRow[]>;
}

export function createItemStore({ read }: Database): ItemStore {
  return {
    list: ({ projectId, kind, after, limit, offset = 0 }) =>
      read
        .selectFrom("item")
        .select(["id", ...itemColumnNames])
        .where("project_id", "=", projectId)
        .where("kind", "=", kind)
        .where("id", ">", after)
        .orderBy("id")
        .limit(limit)
        .offset(offset)
        .execute(),
  };
}
