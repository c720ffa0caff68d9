import { mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Worker } from "node:worker_threads";
import type { Database } from "../database/database.ts";
import { workerUrl } from "../database/sqlite-thread.ts";
import { errors } from "../errors.ts";
import type { Project } from "./project.ts";

export interface SnapshotJob {
  readonly databasePath: string;
  readonly directory: string;
  readonly projectId: number;
  readonly namespace: string;
  readonly project: string;
}

export interface SnapshotMade {
  readonly path: string;
  readonly version: number;
  readonly hash: string;
}

export interface Snapshot {
  readonly version: number;
  readonly hash: string;
  readonly bytes: number;
  /** Compressed with gzip. */
  readonly stream: Readable;
}

/** Snapshots as compressed files beside the database: the latest of each project, made when first asked for. */
export interface SnapshotStore {
  open(project: Project): Promise<Snapshot>;
  /** Removes the file of a project that is no more. */
  remove(projectId: number): Promise<void>;
  close(): Promise<void>;
}

/** Removes what an earlier process left, and waits for snapshots being asked for. */
export async function createSnapshotStore(database: Database): Promise<SnapshotStore> {
  const directory = `${database.path}-snapshots`;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await readdir(directory)) await rm(join(directory, name), { force: true });
  const made = new Map<number, SnapshotMade>();
  const making = new Map<number, Promise<SnapshotMade>>();
  const workers = new Set<Worker>();
  let queue: Promise<unknown> = Promise.resolve();

  function makeOnce(project: Project): Promise<SnapshotMade> {
    const running = making.get(project.id);
    if (running) return running;
    const job: SnapshotJob = {
      databasePath: database.path,
      directory,
      projectId: project.id,
      namespace: project.namespace,
      project: project.code,
    };
    const result = queue
      .then(() => runWorker(job, workers))
      .then(async (snapshot) => {
        const old = made.get(project.id);
        made.set(project.id, snapshot);
        if (old && old.path !== snapshot.path) await rm(old.path, { force: true });
        return snapshot;
      });
    queue = result.catch(() => {});
    making.set(project.id, result);
    const done = (): void => void making.delete(project.id);
    result.then(done, done);
    return result;
  }

  return {
    async open(project) {
      for (let attempt = 0; ; attempt += 1) {
        const known = made.get(project.id);
        const { path, version, hash } =
          known && known.version >= project.version ? known : await makeOnce(project);
        if (version < project.version) continue;
        try {
          const file = await open(path, "r");
          const { size } = await file.stat();
          return { version, hash, bytes: size, stream: file.createReadStream() };
        } catch (error) {
          made.delete(project.id);
          if (attempt >= 2) throw error;
        }
      }
    },
    async remove(projectId) {
      await making.get(projectId)?.catch(() => {}); // told to who asked for it
      const old = made.get(projectId);
      made.delete(projectId);
      if (old) await rm(old.path, { force: true });
    },
    async close() {
      await Promise.all([...workers].map((worker) => worker.terminate()));
      await queue;
    },
  };
}

function runWorker(job: SnapshotJob, workers: Set<Worker>): Promise<SnapshotMade> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(workerUrl("snapshot-worker", import.meta.url), { workerData: job });
    workers.add(worker);
    worker.on("message", resolve);
    worker.on("error", reject);
    worker.on("exit", () => {
      workers.delete(worker);
      reject(errors.create("MANAGER_STOPPING"));
    });
  });
}
