import { sql, type Transaction } from "kysely";
import type { Database } from "../database/database.ts";
import type { Kind, Schema } from "../database/schema.ts";
import { errors } from "../errors.ts";
import { recordEvent, resourceOf } from "./journal-event.ts";
import { chooseAll, chooseDrafts, chooseVersion, clearNextItems } from "./next-items.ts";
import type { Project } from "./project.ts";
import type { Subject } from "./subject.ts";
import { type WrittenVersion, writeVersion } from "./version-write.ts";

type By = Pick<Subject, "kind" | "id" | "name">;

export interface Truncated {
  readonly version: number;
  readonly hash: string;
  /** Items that agents no longer serve, and drafts that are gone. */
  readonly published: number;
  readonly drafts: number;
}

/** Makes versions: one at a time in a project, each a transaction. All throw PUBLISH_IN_PROGRESS. */
export interface Publisher {
  /**
   * Makes all drafts of a project, or the chosen ones, its next version.
   * @throws NOTHING_TO_PUBLISH, DRAFT_NOT_FOUND, PUBLISH_INCOMPLETE
   */
  publish(project: Project, by: By, ids?: readonly number[]): Promise<WrittenVersion>;
  /**
   * Makes an earlier version's items the next version, at the cost of what differs. Drafts stay.
   * @throws VERSION_NOT_FOUND, NOTHING_TO_RESTORE, DRAFTS_IN_THE_WAY
   */
  restore(project: Project, by: By, version: number): Promise<WrittenVersion>;
  /** Removes everything of a kind, drafts included. */
  truncate(project: Project, by: By, kind: Kind): Promise<Truncated>;
}

export function createPublisher(
  { write }: Database,
  onPublished: (project: Project, published: { version: number; hash: string }, seconds: number) => void,
): Publisher {
  const running = new Set<number>();

  async function exclusively<T extends { version: number; hash: string }>(
    project: Project,
    run: (trx: Transaction<Schema>) => Promise<T>,
  ): Promise<T> {
    if (running.has(project.id)) throw errors.create("PUBLISH_IN_PROGRESS");
    running.add(project.id);
    const begun = performance.now();
    try {
      const made = await write.transaction().execute(run);
      if (made.version !== project.version) onPublished(project, made, (performance.now() - begun) / 1000);
      return made;
    } finally {
      running.delete(project.id);
    }
  }

  return {
    publish: (project, by, ids) => exclusively(project, (trx) => publishDrafts(trx, project, by, ids)),
    restore: (project, by, version) => exclusively(project, (trx) => restore(trx, project, by, version)),
    truncate: (project, by, kind) => exclusively(project, (trx) => truncate(trx, project, by, kind)),
  };
}

async function publishDrafts(
  trx: Transaction<Schema>,
  project: Project,
  by: By,
  ids: readonly number[] | undefined,
): Promise<WrittenVersion> {
  const items = ids === undefined ? "draft" : await chooseDrafts(trx, project.id, ids);
  const made = await writeVersion(trx, { project, items, action: "PUBLISH", by: by.name });
  if (!made) throw errors.create("NOTHING_TO_PUBLISH", { project: `${project.namespace}/${project.code}` });
  const chosen = ids === undefined ? sql`` : sql`and item_id in (select item_id from temp.next_item)`;
  await sql`delete from draft where project_id = ${project.id} ${chosen}`.execute(trx);
  if (ids !== undefined) await clearNextItems(trx);
  const data = { version: made.version, redirects: made.redirects, pages: made.pages };
  await recordEvent(trx, { projectId: project.id, resource: "PROJECT", action: "PUBLISH", by, data });
  return made;
}

async function restore(
  trx: Transaction<Schema>,
  project: Project,
  by: By,
  restored: number,
): Promise<WrittenVersion> {
  const old = await trx
    .selectFrom("version")
    .select("hash")
    .where("project_id", "=", project.id)
    .where("version", "=", restored)
    .executeTakeFirst();
  if (!old) throw errors.create("VERSION_NOT_FOUND", { version: restored });
  const items = await chooseVersion(trx, project.id, restored);
  const made = await writeVersion(trx, { project, items, action: "RESTORE", by: by.name, restored });
  if (!made) throw errors.create("NOTHING_TO_RESTORE", { version: restored });
  if (made.hash !== Buffer.from(old.hash).toString("hex"))
    throw new Error(`version ${restored} of project ${project.id} was restored to another hash`);
  await clearNextItems(trx);
  const data = { version: made.version, restored, redirects: made.redirects, pages: made.pages };
  await recordEvent(trx, { projectId: project.id, resource: "PROJECT", action: "RESTORE", by, data });
  return made;
}

async function truncate(trx: Transaction<Schema>, project: Project, by: By, kind: Kind): Promise<Truncated> {
  const { numDeletedRows } = await trx
    .deleteFrom("draft")
    .where("project_id", "=", project.id)
    .where("kind", "=", kind)
    .executeTakeFirstOrThrow();
  const items = await chooseAll(trx, project.id, kind);
  const made = await writeVersion(trx, { project, items, action: "TRUNCATE", by: by.name });
  await clearNextItems(trx);
  const { version, hash } = made ?? {
    version: project.version,
    hash: Buffer.from(project.hash).toString("hex"),
  };
  const published = made === undefined ? 0 : made.redirects.deleted + made.pages.deleted;
  const data = { published, drafts: Number(numDeletedRows), version };
  const resource = resourceOf(kind);
  await recordEvent(trx, { projectId: project.id, resource, action: "TRUNCATE", by, data });
  return { hash, ...data };
}
