import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { ChangesHeader } from "@posthouse/protocol";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { itemLine } from "./item-line.ts";
import type { Project } from "./project.ts";

/** Header and lines of what differs between two versions. */
export interface Changes {
  readonly text: string;
  /** The same, compressed. */
  readonly gzip: Buffer;
}

/** What agents ask for when they hear of a version: the difference, made once however many of them ask. */
export interface ChangeStore {
  /** From version `from` to the current one. @throws CHANGES_GONE */
  since(project: Project, from: number): Promise<Changes>;
}

const maxItems = 20_000;
const maxBytes = 16 * 1024 * 1024;
const maxKept = 4;
const compress = promisify(gzip);

export function createChangeStore({ scan }: Database): ChangeStore {
  const kept = new Map<string, Promise<Changes>>();
  return {
    since({ id, version }, from) {
      const key = `${id} ${from} ${version}`;
      const known = kept.get(key);
      if (known) return known;
      const made = read(scan, id, from).then(async (text) => ({ text, gzip: await compress(text) }));
      kept.set(key, made);
      made.catch(() => kept.delete(key));
      for (const oldest of kept.keys()) {
        if (kept.size <= maxKept) break;
        kept.delete(oldest);
      }
      return made;
    },
  };
}

function read(scan: Database["scan"], projectId: number, from: number): Promise<string> {
  return scan.transaction().execute(async (trx) => {
    const project = await trx
      .selectFrom("project")
      .select(["version", "hash", "redirects", "pages"])
      .where("id", "=", projectId)
      .executeTakeFirstOrThrow();
    const gone = errors.create("CHANGES_GONE", { from });
    if (from < 1 || from > project.version) throw gone;
    const { rows: sizes } = await sql<{ items: number; bytes: number }>`
      select count(*) as items, coalesce(sum(octet_length(i.source) + coalesce(octet_length(i.target), 0)
        + coalesce(octet_length(i.content), 0)), 0) as bytes
      from (select id from change where project_id = ${projectId} and version > ${from} limit ${maxItems + 1}) c
      left join item i on i.project_id = ${projectId} and i.id = c.id`.execute(trx);
    const size = sizes[0] ?? { items: 0, bytes: 0 };
    const whole = project.redirects + project.pages;
    if (size.items > maxItems || size.bytes > maxBytes || size.items > Math.max(whole, 1_000)) throw gone;
    const { rows } = await sql<{ id: number; line: string | null }>`
      select c.id, iif(i.id is null, null, ${itemLine("i")}) as line
      from (select distinct id from change where project_id = ${projectId} and version > ${from}) c
      left join item i on i.project_id = ${projectId} and i.id = c.id order by c.id`.execute(trx);
    const header: ChangesHeader = {
      posthouse: "changes",
      format: 1,
      from,
      to: project.version,
      hash: Buffer.from(project.hash).toString("hex"),
      items: rows.length,
    };
    const lines = rows.map(({ id, line }) => line ?? `{"id":${id},"deleted":true}`);
    return `${[JSON.stringify(header), ...lines].join("\n")}\n`;
  });
}
