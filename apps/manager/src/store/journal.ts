import { sql, type Transaction } from "kysely";
import type { ManagerConfig } from "../config.ts";
import type { Database } from "../database/database.ts";
import type { Schema } from "../database/schema.ts";
import { type Actor, type EventAction, type EventResource, recordEvent } from "./journal-event.ts";

/** An event as the API gives it; `data` by resource and action as in the guide. */
export interface JournalEvent {
  readonly id: number;
  readonly resource: EventResource;
  readonly action: EventAction;
  readonly userId: number | null;
  /** Name at that time; `system` for the Manager itself. */
  readonly actor: string;
  /** `basic`, `token`, or nothing for the Manager itself. */
  readonly authType: string;
  readonly resourceId: number | null;
  readonly data: Record<string, unknown>;
  readonly occurredAt: string;
}

export interface JournalQuery {
  /** Null for what was done to the Manager itself. */
  readonly projectId: number | null;
  readonly resources?: readonly EventResource[] | undefined;
  readonly action?: EventAction | undefined;
  readonly actor?: string | undefined;
  /** Milliseconds since 1970, both inclusive. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only events older than the one with this id. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Who did what. Events are written by `recordEvent`, inside the transaction of the change. */
export interface Journal {
  /** Newest first. */
  list(query: JournalQuery): Promise<JournalEvent[]>;
  /** Empties a project's journal, save for the event that says so; gives how many events went. */
  truncate(projectId: number, by: Actor): Promise<number>;
  /** Removes the oldest events beyond what the configuration keeps, until told to stop; gives how many. */
  purge(signal: AbortSignal): Promise<number>;
}

const eventsPerBatch = 500;

export function createJournal({ read, scan, write }: Database, limits: ManagerConfig["journal"]): Journal {
  return {
    async list({ projectId, resources, action, actor, from, to, before, limit }) {
      let query = scan.selectFrom("event").selectAll().where("project_id", "is", projectId);
      if (resources !== undefined) query = query.where("resource", "in", resources);
      if (action !== undefined) query = query.where("action", "=", action);
      if (actor !== undefined) query = query.where("actor", "=", actor);
      if (from !== undefined) query = query.where("occurred_at", ">=", from);
      if (to !== undefined) query = query.where("occurred_at", "<=", to);
      if (before !== undefined) query = query.where("id", "<", before);
      const rows = await query.orderBy("id", "desc").limit(limit).execute();
      return rows.map((row) => ({
        id: row.id,
        resource: row.resource as EventResource,
        action: row.action as EventAction,
        userId: row.user_id,
        actor: row.actor,
        authType: row.auth_type,
        resourceId: row.resource_id,
        data: JSON.parse(row.data) as Record<string, unknown>,
        occurredAt: new Date(row.occurred_at).toISOString(),
      }));
    },
    truncate: (projectId, by) =>
      write.transaction().execute(async (trx) => {
        const { numDeletedRows } = await trx
          .deleteFrom("event")
          .where("project_id", "=", projectId)
          .executeTakeFirstOrThrow();
        const data = { published: Number(numDeletedRows), drafts: 0 };
        await recordEvent(trx, { projectId, resource: "ACTIVITY", action: "TRUNCATE", by, data });
        return data.published;
      }),
    async purge(signal) {
      const projects = await read.selectFrom("project").select("id").execute();
      let purged = 0;
      for (const id of [null, ...projects.map((project) => project.id)]) {
        const keep = id === null ? limits.max_administration_events : limits.max_events_per_project;
        if (keep === 0) continue;
        for (let removed = eventsPerBatch; removed === eventsPerBatch && !signal.aborted; purged += removed)
          removed = await write.transaction().execute((trx) => purgeBatch(trx, id, keep));
      }
      return purged;
    },
  };
}

/** Other writers take their turn between two batches. */
async function purgeBatch(trx: Transaction<Schema>, projectId: number | null, keep: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from event where id in (
      select id from event where project_id is ${projectId} and id <= (
        select id from event where project_id is ${projectId} order by id desc limit 1 offset ${keep})
      order by id limit ${eventsPerBatch})`.execute(trx);
  return Number(numAffectedRows ?? 0);
}
