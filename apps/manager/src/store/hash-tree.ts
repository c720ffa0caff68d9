import { sql, type Transaction } from "kysely";
import type { Schema } from "../database/schema.ts";

/**
 * Hashes the leaves, then the branches, above what the version changed, then the root, and gives that: as much work as
 * the change, whatever the size of the project.
 */
export async function updateHashTree(
  trx: Transaction<Schema>,
  projectId: number,
  version: number,
): Promise<Uint8Array> {
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
