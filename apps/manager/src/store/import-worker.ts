/** A thread that parses and checks the rows of imported texts. */
import { hash } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { formatItem, isPosthouseError } from "@posthouse/protocol";
import { createRowParser, type Problem, type TsvRow } from "@posthouse/rules";
import type { ImportSummary, ReaderAnswer, ReaderQuestion } from "./import-reader.ts";
import {
  type ImportError,
  type ImportWarning,
  maxImportErrors,
  maxImportWarnings,
  rowsPerChunk,
} from "./import-result.ts";

const port = parentPort;
if (!port) throw new Error("this file runs as a worker thread");
const rowsPerAnswer = 2_000;
const readings = new Map<number, Reading>();

interface Reading {
  push(bytes: Uint8Array): string | undefined;
  end(): { rows: string | undefined; summary: ImportSummary };
}

function createReading(firstId: number): Reading {
  const parser = createRowParser();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const rowErrors: ImportError[] = [];
  const invalidRows: ImportError[] = [];
  const chunkStarts: number[] = [];
  const warnings: ImportWarning[] = [];
  let warningCount = 0;
  let errorCount = 0;
  let totalLines = 0;
  let readable = 0;
  let good: unknown[] = [];
  let nextId = firstId;

  function countReadable(line: number): void {
    if (readable % rowsPerChunk === 0) chunkStarts.push(line);
    readable += 1;
  }

  function refuse(error: ImportError): void {
    errorCount += 1;
    if (error.reason === "INVALID_REDIRECT") countReadable(error.line);
    const list = error.reason === "INVALID_REDIRECT" ? invalidRows : rowErrors;
    if (list.length < maxImportErrors) list.push(error);
  }

  function warn(line: number, source: string, problems: readonly Problem[]): void {
    warningCount += problems.length;
    for (const { code, message } of problems)
      if (warnings.length < maxImportWarnings) warnings.push({ line, source, code, message });
  }

  function take(rows: readonly TsvRow[]): void {
    totalLines += rows.length;
    for (const row of rows) {
      if ("error" in row) {
        refuse({ line: row.line, ...row.error });
        continue;
      }
      const { type, source, target, status } = row.redirect;
      if (source.includes("\uFFFD") || target.includes("\uFFFD")) {
        refuse({ line: row.line, source, target, reason: "INVALID_REDIRECT", message: notUtf8 });
        continue;
      }
      countReadable(row.line);
      if (row.warnings !== undefined) warn(row.line, source, row.warnings);
      const id = nextId++;
      const line = formatItem({ id, kind: "redirect", type, source, target, status });
      good.push([row.line, type, source, target, status, id, hash("sha256", line, "hex")]);
    }
  }

  function giveRows(least: number): string | undefined {
    if (good.length < least) return undefined;
    const rows = JSON.stringify(good);
    good = [];
    return rows;
  }

  return {
    push(bytes) {
      take(parser.push(decoder.decode(bytes, { stream: true })));
      return giveRows(rowsPerAnswer);
    },
    end() {
      take(parser.push(decoder.decode()));
      take(parser.end());
      const summary = {
        totalLines,
        errorCount,
        rowErrors,
        invalidRows,
        chunkStarts,
        warningCount,
        warnings,
      };
      return { rows: giveRows(1), summary };
    },
  };
}

const notUtf8 = "The row holds bytes that are not UTF-8.";

function answer({ id, reading, firstId, ask }: ReaderQuestion): ReaderAnswer {
  if (ask === "close") {
    readings.delete(reading);
    return { id };
  }
  const known = readings.get(reading) ?? createReading(firstId);
  readings.set(reading, known);
  try {
    return ask === "end" ? { id, ...known.end() } : { id, rows: known.push(ask) };
  } catch (error) {
    return { id, failure: describe(error) };
  }
}

function describe(error: unknown): NonNullable<ReaderAnswer["failure"]> {
  if (!isPosthouseError(error)) return { message: error instanceof Error ? error.message : String(error) };
  const { code, message, hint } = error;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

port.on("message", (question: ReaderQuestion) => port.postMessage(answer(question)));
