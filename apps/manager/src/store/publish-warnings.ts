import type { Problem } from "@posthouse/rules";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";

/** Something doubtful with a redirect that a version brought. */
export interface PublishWarning extends Problem {
  readonly id: number;
  readonly source: string;
}

export interface PublishWarnings {
  /** Exact; `warnings` holds the first hundred. */
  readonly warningCount: number;
  readonly warnings: readonly PublishWarning[];
}

const maxWarnings = 100;
const rowsPerRead = 1_000;

/**
 * What is doubtful with the redirects that a version created or changed. Only those are looked at that can give cause:
 * patterns, and targets that are neither a path nor a web address.
 */
export async function findPublishWarnings(
  { scan }: Database,
  projectId: number,
  version: number,
): Promise<PublishWarnings> {
  const warnings: PublishWarning[] = [];
  let warningCount = 0;
  let after = 0;
  for (;;) {
    const { rows } = await sql<{ id: number; source: string; problems: string | null }>`
      select i.id, i.source, redirect_warnings(i.type, i.source, i.target, i.status) as problems
      from change c cross join item i on i.project_id = c.project_id and i.id = c.id
      where c.project_id = ${projectId} and c.version = ${version} and c.id > ${after} and i.kind = 'redirect'
        and (i.type in ('REGEX', 'REGEX_HOST') or i.target not like '/%' and i.target not like 'http%')
      order by c.id limit ${rowsPerRead}`.execute(scan);
    for (const { id, source, problems } of rows) {
      const found = JSON.parse(problems ?? "[]") as Problem[];
      warningCount += found.length;
      for (const problem of found)
        if (warnings.length < maxWarnings) warnings.push({ id, source, ...problem });
    }
    after = rows.at(-1)?.id ?? 0;
    if (rows.length < rowsPerRead) return { warningCount, warnings };
  }
}
