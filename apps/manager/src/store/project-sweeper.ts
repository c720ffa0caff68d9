import type { Log, Part } from "@posthouse/service";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { SnapshotStore } from "./snapshot.ts";

export interface ProjectSweeper extends Part {
  /** There is something to sweep. */
  wake(): void;
}

const rowsPerTransaction = 2_000;

interface Child {
  readonly name: string;
  readonly keys: string;
}

/**
 * Takes the rows of removed projects out of the database, a few thousand at a time, so that everybody else's changes
 * take their turn in between. What an earlier process left is done when this one starts.
 */
export function createProjectSweeper(
  { scan, write }: Database,
  { snapshots, log }: { readonly snapshots: Pick<SnapshotStore, "remove">; readonly log: Log },
): ProjectSweeper {
  let running: Promise<void> | undefined;
  let again = false;
  let stopped = false;

  async function sweep(): Promise<void> {
    again = false;
    const children = await readChildren();
    for (let id = await findRemoved(); id !== undefined && !stopped; id = await findRemoved())
      await removeProject(id, children);
    if (stopped) return;
    await sql`delete from namespace where removed = 1
      and not exists (select 1 from project where namespace_id = namespace.id)`.execute(write);
  }

  async function findRemoved(): Promise<number | undefined> {
    const query = scan.selectFrom("project").select("id").where("removed", "=", 1).limit(1);
    return (await query.executeTakeFirst())?.id;
  }

  async function removeProject(id: number, children: readonly Child[]): Promise<void> {
    await snapshots.remove(id);
    for (const { name, keys } of children) {
      for (let removed = rowsPerTransaction; removed === rowsPerTransaction; ) {
        if (stopped) return;
        const { numAffectedRows } = await sql`delete from ${sql.raw(name)} where (${sql.raw(keys)}) in
          (select ${sql.raw(keys)} from ${sql.raw(name)} where project_id = ${id} limit ${rowsPerTransaction})`.execute(
          write,
        );
        removed = Number(numAffectedRows ?? 0);
      }
    }
    await write.deleteFrom("project").where("id", "=", id).execute();
  }

  /** The tables whose rows belong to a project, with their primary keys. */
  async function readChildren(): Promise<Child[]> {
    const { rows } = await sql<Child>`
      select t.name, (select group_concat(name) from pragma_table_info(t.name) where pk > 0) as keys
      from sqlite_master t where t.type = 'table'
        and exists (select 1 from pragma_foreign_key_list(t.name) where "table" = 'project')`.execute(scan);
    return rows;
  }

  const wake = (): void => {
    again = true;
    if (stopped) return;
    running ??= sweep()
      .catch((error: unknown) => log.warn({ error }, "a removed project could not be swept"))
      .finally(() => {
        running = undefined;
        if (again && !stopped) wake();
      });
  };
  return {
    name: "project-sweeper",
    wake,
    async start() {
      stopped = false;
      wake();
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
