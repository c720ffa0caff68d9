import type { Readable } from "node:stream";
import { createTsvParser, type TsvReason, type TsvRow } from "@posthouse/rules";
import { sql } from "kysely";
import type { Database } from "../database/database.ts";
import { errors } from "../errors.ts";
import { applyImport } from "./import-apply.ts";

export interface ImportError {
  readonly line: number;
  readonly source?: string | undefined;
  readonly target?: string | undefined;
  readonly reason: TsvReason | "SOURCE_ALREADY_EXISTS";
  readonly message: string;
}

export interface ImportResult {
  readonly success: boolean;
  readonly totalLines: number;
  readonly importedCount: number;
  readonly skippedCount: number;
  /** Exact; `errors` holds the first thousand. */
  readonly errorCount: number;
  readonly errors: readonly ImportError[];
}

export interface Importer {
  /** Turns the rows of a tab-separated text into drafts: all good rows in one transaction, or none when it fails. */
  importRedirects(projectId: number, text: Readable, overwrite: boolean): Promise<ImportResult>;
}

export const maxImportErrors = 1_000;
const maxImports = 4;
const rowsPerChunk = 5_000;

/**
 * Rows are gathered in a temporary table of the writer's connection, which dies with the process, while the text
 * arrives at its own pace; then one transaction turns them into drafts.
 */
export function createImporter({ write }: Database): Importer {
  let running = 0;
  let nextId = 1;
  let table: Promise<unknown> | undefined;

  async function gather(
    importId: number,
    text: Readable,
  ): Promise<Omit<ImportResult, "success" | "importedCount" | "skippedCount">> {
    const parser = createTsvParser();
    const failed: ImportError[] = [];
    let good: unknown[] = [];
    let totalLines = 0;
    let errorCount = 0;
    let written: Promise<unknown> = Promise.resolve();
    const flush = async (): Promise<void> => {
      const chunk = JSON.stringify(good);
      good = [];
      await written; // one chunk is written while the next is read
      written = sql`
        insert into temp.import_row (import_id, line, type, source, target, status)
        select ${importId}, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4
        from json_each(${chunk})`.execute(write);
      written.catch(() => {}); // told by the next await
    };
    const take = async (rows: readonly TsvRow[]): Promise<void> => {
      for (const row of rows) {
        totalLines += 1;
        if ("redirect" in row) {
          const { type, source, target, status } = row.redirect;
          good.push([row.line, type, source, target, status]);
          if (good.length >= rowsPerChunk) await flush();
        } else {
          errorCount += 1;
          if (failed.length < maxImportErrors) failed.push({ line: row.line, ...row.error });
        }
      }
    };
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    for await (const chunk of text)
      await take(parser.push(decoder.decode(chunk as Uint8Array, { stream: true })));
    await take(parser.push(decoder.decode()));
    await take(parser.end());
    if (good.length > 0) await flush();
    await written;
    return { totalLines, errorCount, errors: failed };
  }

  return {
    async importRedirects(projectId, text, overwrite) {
      if (running >= maxImports) throw errors.create("IMPORTS_TOO_MANY");
      running += 1;
      const importId = nextId++;
      try {
        table ??= sql`create temp table import_row (import_id integer, line integer, type text, source text,
          target text, status text, item_id integer, action text, primary key (import_id, line)) without rowid`.execute(
          write,
        );
        await table;
        const { totalLines, errorCount, errors: failed } = await gather(importId, text);
        const applied = await write
          .transaction()
          .execute((trx) =>
            applyImport(trx, { importId, projectId, overwrite, maxErrors: maxImportErrors - failed.length }),
          );
        const count = errorCount + applied.existing;
        return {
          success: count === 0,
          totalLines,
          importedCount: applied.imported,
          skippedCount: applied.skipped,
          errorCount: count,
          errors: [...failed, ...applied.errors],
        };
      } finally {
        running -= 1;
        await sql`delete from temp.import_row where import_id = ${importId}`.execute(write);
      }
    },
  };
}
