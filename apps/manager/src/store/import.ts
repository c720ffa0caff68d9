/**
 * An import: the text is read in one thread (import-reader) while its good rows are gathered in a temporary table of
 * the writer's connection, which dies with the process; then one transaction turns them into drafts (import-apply).
 */
import type { Readable } from "node:stream";
import { CompiledQuery } from "kysely";
import type { Database } from "../database/database.ts";
import type { ParameterRows } from "../database/sqlite-thread.ts";
import { errors } from "../errors.ts";
import { type Applied, applyImport } from "./import-apply.ts";
import { createImportReader, type ImportReading, type ImportSummary } from "./import-reader.ts";
import { type ImportError, type ImportResult, maxImportErrors } from "./import-result.ts";
import { createImportTables, emptyTables, type ImportTables, makeTables } from "./import-tables.ts";
import { type Actor, recordEvent } from "./journal-event.ts";

export interface ImportOptions {
  /** Takes redirects that exist already; otherwise they are listed as errors. */
  readonly overwrite: boolean;
  /** For the journal. */
  readonly filename?: string | undefined;
  readonly by: Actor;
}

export interface Importer {
  /** Turns the rows of a text into drafts: all good rows in one transaction, or none when it fails. */
  importRedirects(projectId: number, text: Readable, options: ImportOptions): Promise<ImportResult>;
  close(): Promise<void>;
}

const maxImports = 4;
const maxPiecesAhead = 16;
const maxErrorSample = 20;

export function createImporter({ write }: Database, onImported: (seconds: number) => void): Importer {
  const reader = createImportReader();
  const free = Array.from({ length: maxImports }, (_, index) => createImportTables(index));
  const made = new Set<ImportTables>();

  async function prepare(tables: ImportTables): Promise<void> {
    if (made.has(tables)) return;
    await makeTables(write, tables);
    made.add(tables);
  }

  async function gather(
    tables: ImportTables,
    text: Readable,
    reading: ImportReading,
  ): Promise<ImportSummary> {
    const statement = `insert into ${tables.rows} values (?, ?, ?, ?, ?, ?, unhex(?))`;
    const insert = async (rows: string | undefined): Promise<void> => {
      if (rows === undefined) return;
      await write.executeQuery(CompiledQuery.raw(statement, [{ rows } satisfies ParameterRows]));
    };
    const ahead: Promise<void>[] = [];
    for await (const bytes of text) {
      const taken = reading.push(bytes as Uint8Array).then(insert);
      taken.catch(() => {}); // told by the await below
      ahead.push(taken);
      if (ahead.length > maxPiecesAhead) await ahead.shift();
    }
    await Promise.all(ahead);
    const { rows, summary } = await reading.end();
    await insert(rows);
    return summary;
  }

  async function run(tables: ImportTables, projectId: number, text: Readable, options: ImportOptions) {
    const firstId = await nextId(projectId);
    const reading = reader.open(firstId);
    try {
      await prepare(tables);
      const summary = await gather(tables, text, reading);
      const { overwrite, filename, by } = options;
      return await write.transaction().execute(async (trx) => {
        const applied = await applyImport(trx, {
          tables,
          projectId,
          firstId,
          overwrite,
          maxErrors: maxImportErrors,
        });
        const result = resultOf(summary, applied);
        const data = journalData(result, { overwrite, filename });
        await recordEvent(trx, { projectId, resource: "REDIRECT", action: "IMPORT", by, data });
        await emptyTables(trx, tables);
        return result;
      });
    } catch (error) {
      if (made.has(tables)) await emptyTables(write, tables);
      throw error;
    } finally {
      reading.close();
    }
  }

  async function nextId(projectId: number): Promise<number> {
    const { next_id: id } = await write
      .selectFrom("project")
      .select("next_id")
      .where("id", "=", projectId)
      .executeTakeFirstOrThrow();
    return id;
  }

  return {
    async importRedirects(projectId, text, options) {
      const tables = free.pop();
      if (tables === undefined) throw errors.create("IMPORTS_TOO_MANY");
      const begun = performance.now();
      try {
        const result = await run(tables, projectId, text, options);
        onImported((performance.now() - begun) / 1000);
        return result;
      } finally {
        free.push(tables);
      }
    },
    close: () => reader.close(),
  };
}

function resultOf(summary: ImportSummary, applied: Applied): ImportResult {
  const errorCount = summary.errorCount + applied.existing;
  return {
    success: errorCount === 0,
    totalLines: summary.totalLines,
    importedCount: applied.imported,
    skippedCount: applied.skipped,
    errorCount,
    errors: orderErrors(summary, applied.errors).slice(0, maxImportErrors),
    warningCount: summary.warningCount,
    warnings: summary.warnings,
  };
}

/** As Flecto lists them: rows that cannot be read, then by chunk those that are invalid, then those that exist. */
function orderErrors(summary: ImportSummary, existing: readonly ImportError[]): ImportError[] {
  const { rowErrors, invalidRows, chunkStarts } = summary;
  const chunkOf = ({ line }: ImportError): number => chunkStarts.findLastIndex((start) => start <= line);
  const checked = [...invalidRows, ...existing].map((error) => ({ error, chunk: chunkOf(error) }));
  return [...rowErrors, ...checked.sort((a, b) => a.chunk - b.chunk).map(({ error }) => error)]; // the sort is stable
}

function journalData(result: ImportResult, { overwrite, filename }: Partial<ImportOptions>) {
  return {
    ...(filename === undefined ? {} : { filename }),
    overwrite,
    totalLines: result.totalLines,
    imported: result.importedCount,
    skipped: result.skippedCount,
    errorCount: result.errorCount,
    ...(result.errors.length === 0
      ? {}
      : {
          errorSample: result.errors
            .slice(0, maxErrorSample)
            .map(({ line, source, reason }) => ({ line, source, reason })),
        }),
  };
}
