import type { AgentReport } from "@posthouse/protocol";
import type { Database } from "../database/database.ts";

export interface AgentView {
  readonly name: string;
  readonly type: string;
  readonly status: string;
  readonly version: number;
  /** Nanoseconds. */
  readonly loadDuration: number;
  readonly error: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly lastHitAt: string;
}

/** The fleet: what each agent said last. */
export interface AgentStore {
  isKnown(projectId: number, name: string): Promise<boolean>;
  report(
    projectId: number,
    report: Omit<AgentReport, "status" | "type"> & { status: string; type: string },
  ): Promise<void>;
  /** Notes that the agent is alive; false when it is unknown. */
  hit(projectId: number, name: string): Promise<boolean>;
  list(projectId: number): Promise<AgentView[]>;
}

const maxListed = 10_000;

export function createAgentStore({ read, write }: Database): AgentStore {
  return {
    async isKnown(projectId, name) {
      const row = await read
        .selectFrom("agent")
        .select("name")
        .where("project_id", "=", projectId)
        .where("name", "=", name)
        .executeTakeFirst();
      return row !== undefined;
    },
    async report(projectId, { name, ...said }) {
      const now = Date.now();
      const values = { ...said, updated_at: now, last_hit_at: now };
      await write
        .insertInto("agent")
        .values({ project_id: projectId, name, created_at: now, ...values })
        .onConflict((oc) => oc.columns(["project_id", "name"]).doUpdateSet(values))
        .execute();
    },
    async hit(projectId, name) {
      const { numUpdatedRows } = await write
        .updateTable("agent")
        .set({ last_hit_at: Date.now() })
        .where("project_id", "=", projectId)
        .where("name", "=", name)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },
    async list(projectId) {
      const rows = await read
        .selectFrom("agent")
        .selectAll()
        .where("project_id", "=", projectId)
        .orderBy("name")
        .limit(maxListed)
        .execute();
      return rows.map((row) => ({
        name: row.name,
        type: row.type,
        status: row.status,
        version: row.version,
        loadDuration: row.load_duration,
        error: row.error,
        createdAt: new Date(row.created_at).toISOString(),
        updatedAt: new Date(row.updated_at).toISOString(),
        lastHitAt: new Date(row.last_hit_at).toISOString(),
      }));
    },
  };
}
