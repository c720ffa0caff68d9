import { type RawBuilder, sql } from "kysely";
import { itemColumnNames } from "./item-values.ts";

/** SQL: the canonical line of a row of `item` under this name. */
export function itemLine(table: string): RawBuilder<string> {
  const columns = itemColumnNames.map((name) => `${table}.${name}`);
  return sql.raw(`item_line(${[`${table}.id`, ...columns].join()})`);
}
