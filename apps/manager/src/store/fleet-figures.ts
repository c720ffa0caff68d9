import { sql } from "kysely";
import type { Database } from "../database/database.ts";

/** What metrics say of a project. */
export interface ProjectFigures {
  readonly namespace: string;
  readonly project: string;
  readonly version: number;
  readonly redirects: number;
  readonly pages: number;
  readonly redirectDrafts: number;
  readonly pageDrafts: number;
  readonly online: number;
  readonly offline: number;
  /** Online, at another version than the project's. */
  readonly lagging: number;
  /** Online, and their last word was an error. */
  readonly failing: number;
}

const maxProjects = 2_000;

/** Reads the figures of every project, those without agents too. */
export function createFleetFigures(
  { scan }: Database,
  offlineAfterMs: number,
): () => Promise<readonly ProjectFigures[]> {
  return async () => {
    const since = Date.now() - offlineAfterMs;
    const { rows } = await sql<ProjectFigures>`
      select n.code as namespace, p.code as project, p.version, p.redirects, p.pages,
        (select count(*) from draft where project_id = p.id and kind = 'redirect') as redirectDrafts,
        (select count(*) from draft where project_id = p.id and kind = 'page') as pageDrafts,
        coalesce(sum(a.last_hit_at >= ${since}), 0) as online,
        coalesce(sum(a.last_hit_at < ${since}), 0) as offline,
        coalesce(sum(a.last_hit_at >= ${since} and a.version <> p.version), 0) as lagging,
        coalesce(sum(a.last_hit_at >= ${since} and a.status = 'error'), 0) as failing
      from project p join namespace n on n.id = p.namespace_id left join agent a on a.project_id = p.id
      where not p.removed group by p.id order by p.id limit ${maxProjects}`.execute(scan);
    return rows;
  };
}
