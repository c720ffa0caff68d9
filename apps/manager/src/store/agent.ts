import { type Selectable, sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { AgentTable } from "../database/schema.ts";
import { errors } from "../errors.ts";
import type { AgentWriter, SaidReport } from "./agent-writer.ts";
import { type Actor, recordEvent } from "./journal-event.ts";
import type { Project } from "./project.ts";

export interface AgentView {
  readonly name: string;
  readonly type: string;
  readonly status: string;
  readonly version: number;
  /** Versions behind the project; below 0 when the project was restored to an older one. */
  readonly lag: number;
  /** Nanoseconds. */
  readonly loadDuration: number;
  readonly error: string;
  /** Heard of within `agents.offline_after`. */
  readonly online: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly lastHitAt: string;
}

export interface AgentQuery {
  readonly status?: string | undefined;
  readonly type?: string | undefined;
  /** Only agents whose name holds this text, in any case. */
  readonly search?: string | undefined;
  readonly online?: boolean | undefined;
  readonly lagging?: boolean | undefined;
  /** Only agents whose name comes after. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** The fleet: what each agent said last. */
export interface AgentStore {
  isKnown(projectId: number, name: string): Promise<boolean>;
  report(projectId: number, report: SaidReport): Promise<void>;
  /** Notes that the agent is alive; false when it is unknown. */
  hit(projectId: number, name: string): Promise<boolean>;
  /** In the order of their names. */
  list(project: Project, query: AgentQuery): Promise<AgentView[]>;
  /** @throws AGENT_NOT_FOUND */
  remove(projectId: number, name: string, by: Actor): Promise<void>;
  close(): Promise<void>;
}

export interface AgentStoreOptions {
  readonly writer: AgentWriter;
  /** Milliseconds without a word after which an agent counts as offline. */
  readonly offlineAfterMs: number;
}

export function createAgentStore(
  { read, scan, write }: Database,
  { writer, offlineAfterMs }: AgentStoreOptions,
): AgentStore {
  async function isKnown(projectId: number, name: string): Promise<boolean> {
    if (writer.isReported(projectId, name)) return true;
    const row = await read
      .selectFrom("agent")
      .select("name")
      .where("project_id", "=", projectId)
      .where("name", "=", name)
      .executeTakeFirst();
    return row !== undefined;
  }
  return {
    isKnown,
    report: (projectId, report) => writer.report(projectId, report),
    async hit(projectId, name) {
      if (!(await isKnown(projectId, name))) return false;
      writer.hit(projectId, name);
      return true;
    },
    async list({ id, version }, { status, type, search, online, lagging, after, limit }) {
      await writer.settle();
      const since = Date.now() - offlineAfterMs;
      let query = scan.selectFrom("agent").selectAll().where("project_id", "=", id);
      if (status !== undefined) query = query.where("status", "=", status);
      if (type !== undefined) query = query.where("type", "=", type);
      if (search !== undefined) query = query.where(sql<boolean>`instr(lower(name), lower(${search}))`);
      if (online !== undefined) query = query.where("last_hit_at", online ? ">=" : "<", since);
      if (lagging !== undefined) query = query.where("version", lagging ? "<>" : "=", version);
      if (after !== undefined) query = query.where("name", ">", after);
      const rows = await query.orderBy("name").limit(limit).execute();
      return rows.map((row) => viewOf(row, version, since));
    },
    remove: (projectId, name, by) =>
      write.transaction().execute(async (trx) => {
        const reported = writer.isReported(projectId, name);
        writer.forget(projectId, name);
        const removed = await trx
          .deleteFrom("agent")
          .where("project_id", "=", projectId)
          .where("name", "=", name)
          .returning("name")
          .executeTakeFirst();
        if (!removed && !reported) throw errors.create("AGENT_NOT_FOUND", { name });
        await recordEvent(trx, { projectId, resource: "AGENT", action: "DELETE", by, data: { name } });
      }),
    close: () => writer.close(),
  };
}

function viewOf(row: Selectable<AgentTable>, version: number, since: number): AgentView {
  return {
    name: row.name,
    type: row.type,
    status: row.status,
    version: row.version,
    lag: version - row.version,
    loadDuration: row.load_duration,
    error: row.error,
    online: row.last_hit_at >= since,
    createdAt: new Date(row.created_at).toISOString(),
    updatedAt: new Date(row.updated_at).toISOString(),
    lastHitAt: new Date(row.last_hit_at).toISOString(),
  };
}
