/** A thread that writes one project's snapshot into a compressed file, read within one transaction, and ends. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import { createGzip } from "node:zlib";
import { formatItem, type SnapshotHeader } from "@posthouse/protocol";
import type { ItemColumns } from "../database/schema.ts";
import { itemOf } from "./item-values.ts";
import type { SnapshotJob, SnapshotMade } from "./snapshot.ts";

const { databasePath, directory, projectId, namespace, project } = workerData as SnapshotJob;
const rowsPerChunk = 2_000;

function* readLines(database: DatabaseSync, header: SnapshotHeader): Generator<string> {
  yield `${JSON.stringify(header)}\n`;
  const rows = database.prepare("select * from item where project_id = ? order by id").iterate(projectId);
  let lines: string[] = [];
  for (const row of rows) {
    lines.push(formatItem(itemOf(Number(row.id), row as unknown as ItemColumns)));
    if (lines.length < rowsPerChunk) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join("\n")}\n`;
}

function readHeader(database: DatabaseSync): SnapshotHeader {
  const row = database
    .prepare("select version, hash, redirects + pages as items from project where id = ?")
    .get(projectId);
  if (!row) throw new Error("the project is gone");
  return {
    posthouse: "snapshot",
    format: 1,
    namespace,
    project,
    version: Number(row.version),
    hash: Buffer.from(row.hash as Uint8Array).toString("hex"),
    items: Number(row.items),
  };
}

const database = new DatabaseSync(databasePath, { readOnly: true, timeout: 5_000 });
database.exec("begin");
const header = readHeader(database);
const path = `${directory}/${projectId}-${header.version}.gz`;
const file = openSync(`${path}.new`, "w", 0o600);
const gzip = createGzip({ level: 3 });
gzip.on("data", (chunk: Buffer) => writeSync(file, chunk));
const ended = new Promise<void>((resolve, reject) => gzip.on("end", resolve).on("error", reject));
for (const text of readLines(database, header))
  if (!gzip.write(text)) await new Promise<void>((resolve) => gzip.once("drain", resolve));
gzip.end();
await ended;
database.exec("commit");
database.close();
fsyncSync(file);
closeSync(file);
renameSync(`${path}.new`, path);
parentPort?.postMessage({ path, version: header.version, hash: header.hash } satisfies SnapshotMade);
