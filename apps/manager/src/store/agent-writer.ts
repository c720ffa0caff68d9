/**
 * What agents say, on its way to the database. A hit is kept in memory and written with others every few seconds; a
 * report is written at once, together with whatever waits. Neither makes an agent wait while an import or a publish
 * has the writer: after `patienceMs` a report counts as taken, and is written as soon as the writer is free.
 */
import type { AgentReport } from "@posthouse/protocol";
import { sql, type Transaction } from "kysely";
import type { Database } from "../database/database.ts";
import type { Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";

export type SaidReport = Omit<AgentReport, "status" | "type"> & { status: string; type: string };

export interface AgentWriter {
  /** @throws DATABASE_BUSY when too many wait */
  report(projectId: number, report: SaidReport): Promise<void>;
  hit(projectId: number, name: string): void;
  /** Whether a report of this agent is on its way. */
  isReported(projectId: number, name: string): boolean;
  /** Resolves when what was said so far is written, or after `patienceMs`. */
  settle(): Promise<void>;
  /** Forgets what an agent said that is to be removed. */
  forget(projectId: number, name: string): void;
  /** Writes what waits, and stops. */
  close(): Promise<void>;
}

export interface AgentWriterOptions {
  readonly onBatch: (hits: number) => void;
  readonly onHitDropped: () => void;
  readonly onFailure: (error: unknown) => void;
}

const hitsEachMs = 3_000;
const patienceMs = 500;
const maxHits = 50_000;
const maxReports = 10_000;

interface Said {
  readonly projectId: number;
  readonly name: string;
  readonly at: number;
}

type Batch = { readonly hits: Map<string, Said>; readonly reports: Map<string, Said & SaidReport> };

const emptyBatch = (): Batch => ({ hits: new Map(), reports: new Map() });
const sizeOf = ({ hits, reports }: Batch): number => hits.size + reports.size;
const keyOf = (projectId: number, name: string): string => `${projectId}/${name}`;

export function createAgentWriter({ write }: Database, options: AgentWriterOptions): AgentWriter {
  let waiting = emptyBatch();
  let writing = emptyBatch();
  let running: Promise<void> | undefined;
  const timer = setInterval(() => void flush(), hitsEachMs);
  timer.unref();

  async function writeBatch(): Promise<void> {
    writing = waiting;
    waiting = emptyBatch();
    try {
      await write.transaction().execute((trx) => writeAll(trx, writing));
      options.onBatch(writing.hits.size);
    } catch (error) {
      putBack(writing, waiting);
      options.onFailure(error);
    } finally {
      writing = emptyBatch();
    }
  }

  /** Writes all that was said before this call; batches that fail are tried again by the timer. */
  async function flush(): Promise<void> {
    if (running !== undefined) await running;
    if (running === undefined && sizeOf(waiting) > 0) {
      running = writeBatch().finally(() => {
        running = undefined;
      });
    }
    await running;
  }

  const settle = async (): Promise<void> => {
    const patience = Promise.withResolvers<void>();
    const end = setTimeout(patience.resolve, patienceMs);
    await Promise.race([flush(), patience.promise]);
    clearTimeout(end);
  };

  return {
    async report(projectId, report) {
      const key = keyOf(projectId, report.name);
      if (waiting.reports.size >= maxReports && !waiting.reports.has(key))
        throw errors.create("DATABASE_BUSY");
      const at = Date.now();
      waiting.hits.delete(key);
      waiting.reports.set(key, { projectId, at, ...report });
      await settle();
    },
    hit(projectId, name) {
      const key = keyOf(projectId, name);
      if (waiting.hits.size >= maxHits && !waiting.hits.has(key)) options.onHitDropped();
      else waiting.hits.set(key, { projectId, name, at: Date.now() });
    },
    isReported(projectId, name) {
      const key = keyOf(projectId, name);
      return waiting.reports.has(key) || writing.reports.has(key);
    },
    settle,
    forget(projectId, name) {
      const key = keyOf(projectId, name);
      for (const { hits, reports } of [waiting, writing]) {
        hits.delete(key);
        reports.delete(key);
      }
    },
    async close() {
      clearInterval(timer);
      await flush();
    },
  };
}

/** A batch that could not be written waits again, save for what was said anew. */
function putBack(failed: Batch, waiting: Batch): void {
  for (const [key, hit] of failed.hits) if (!waiting.hits.has(key)) waiting.hits.set(key, hit);
  for (const [key, report] of failed.reports) if (!waiting.reports.has(key)) waiting.reports.set(key, report);
}

/** Agents and projects that were removed in the meantime are passed over. */
async function writeAll(trx: Transaction<Schema>, { hits, reports }: Batch): Promise<void> {
  if (reports.size > 0)
    await sql`
      insert into agent (project_id, name, type, status, version, load_duration, error, created_at, updated_at, last_hit_at)
      select said ->> 'projectId', said ->> 'name', said ->> 'type', said ->> 'status', said ->> 'version',
        said ->> 'load_duration', said ->> 'error', said ->> 'at', said ->> 'at', said ->> 'at'
      from (select value as said from json_each(${JSON.stringify([...reports.values()])}))
      where exists (select 1 from project where id = said ->> 'projectId')
      on conflict (project_id, name) do update set type = excluded.type, status = excluded.status,
        version = excluded.version, load_duration = excluded.load_duration, error = excluded.error,
        updated_at = excluded.updated_at, last_hit_at = excluded.last_hit_at`.execute(trx);
  if (hits.size > 0)
    await sql`
      update agent set last_hit_at = max(last_hit_at, hit.at)
      from (select value ->> 'projectId' as project_id, value ->> 'name' as name, value ->> 'at' as at
        from json_each(${JSON.stringify([...hits.values()])})) as hit
      where agent.project_id = hit.project_id and agent.name = hit.name`.execute(trx);
}
