import type { ChangesHeader } from "@posthouse/protocol";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";

/** What differs between two versions, from the changes that each version kept. */
export interface ChangeStore {
  /** Header and lines, from version `from` to the current one. @throws CHANGES_GONE */
  since(projectId: number, from: number): Promise<string>;
}

const maxItems = 20_000;
const maxBytes = 16 * 1024 * 1024;

export function createChangeStore({ read }: Database): ChangeStore {
  return {
    since: (projectId, from) =>
      read.transaction().execute(async (trx) => {
        const project = await trx
          .selectFrom("project")
          .select(["version", "hash", "redirects", "pages"])
          .where("id", "=", projectId)
          .executeTakeFirstOrThrow();
        const gone = errors.create("CHANGES_GONE", { from });
        if (from < 1 || from > project.version) throw gone;
        const latest = sql`select id, max(version), before, after from change
          where project_id = ${projectId} and version > ${from} group by id order by id`;
        const { rows: sizes } = await sql<{ items: number; bytes: number }>`
          select count(*) as items, coalesce(sum(octet_length(after)), 0) as bytes
          from (select id, after from change where project_id = ${projectId} and version > ${from}
            limit ${maxItems + 1})`.execute(trx);
        const size = sizes[0] ?? { items: 0, bytes: 0 };
        const whole = project.redirects + project.pages;
        if (size.items > maxItems || size.bytes > maxBytes || size.items > Math.max(whole, 1_000)) throw gone;
        const { rows } = await sql<{ id: number; after: string | null }>`${latest}`.execute(trx);
        const header: ChangesHeader = {
          posthouse: "changes",
          format: 1,
          from,
          to: project.version,
          hash: Buffer.from(project.hash).toString("hex"),
          items: rows.length,
        };
        const lines = rows.map(({ id, after }) => after ?? `{"id":${id},"deleted":true}`);
        return `${[JSON.stringify(header), ...lines].join("\n")}\n`;
      }),
  };
}
