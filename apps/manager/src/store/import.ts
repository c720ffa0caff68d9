/**
 * An import: the text is read in one thread (import-reader) while its good rows are gathered in a temporary table of
 * the writer's connection, which dies with the process; then one transaction turns them into drafts (import-apply).
 */
import type { Readable } from "node:stream";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { type Applied, applyImport } from "./import-apply.ts";
import { createImportReader, type ImportReading, type ImportSummary } from "./import-reader.ts";
import { type ImportError, type ImportResult, maxImportErrors } from "./import-result.ts";
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
  const free = Array.from({ length: maxImports }, (_, index) => `temp.import_row_${index}`);
  const made = new Set<string>();

  async function prepare(table: string): Promise<void> {
    if (made.has(table)) return;
    await sql`create temp table ${sql.raw(table.slice("temp.".length))} (line integer primary key, type text,
      source text, target text, status text, item_id integer, action text)`.execute(write);
    made.add(table);
  }

  async function gather(table: string, text: Readable, reading: ImportReading): Promise<ImportSummary> {
    const insert = async (rows: string | undefined): Promise<void> => {
      if (rows === undefined) return;
      await sql`insert into ${sql.raw(table)} (line, type, source, target, status)
        select value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each(${rows})`.execute(
        write,
      );
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

  async function run(table: string, projectId: number, text: Readable, options: ImportOptions) {
    const reading = reader.open();
    try {
      await prepare(table);
      const summary = await gather(table, text, reading);
      const { overwrite, filename, by } = options;
      return await write.transaction().execute(async (trx) => {
        const applied = await applyImport(trx, { table, projectId, overwrite, maxErrors: maxImportErrors });
        const result = resultOf(summary, applied);
        const data = journalData(result, { overwrite, filename });
        await recordEvent(trx, { projectId, resource: "REDIRECT", action: "IMPORT", by, data });
        return result;
      });
    } finally {
      reading.close();
      if (made.has(table)) await sql`delete from ${sql.raw(table)}`.execute(write);
    }
  }

  return {
    async importRedirects(projectId, text, options) {
      const table = free.pop();
      if (table === undefined) throw errors.create("IMPORTS_TOO_MANY");
      const begun = performance.now();
      try {
        const result = await run(table, projectId, text, options);
        onImported((performance.now() - begun) / 1000);
        return result;
      } finally {
        free.push(table);
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
