import { type Selectable, sql, type Transaction } from "kysely";
import type { Database } from "../database/database.ts";
import type { ProjectTable, Schema } from "../database/schema.ts";
import { isUniqueViolation } from "../database/sqlite-error.ts";
import { errors } from "../errors.ts";
import { type Actor, recordEvent } from "./journal-event.ts";

/** A project with the code of its namespace. */
export type Project = Selectable<ProjectTable> & { readonly namespace: string };

export interface Named {
  readonly code: string;
  readonly name: string;
}

/** Namespaces and the projects in them. Codes never change. */
export interface ProjectStore {
  createNamespace(namespace: Named, by: Actor): Promise<void>;
  namespaces(): Promise<Named[]>;
  renameNamespace(namespace: Named, by: Actor): Promise<void>;
  /** Removes a namespace and its projects. */
  removeNamespace(code: string, by: Actor): Promise<void>;
  create(namespace: string, project: Named, by: Actor): Promise<void>;
  list(namespace: string): Promise<Named[]>;
  /** @throws PROJECT_NOT_FOUND */
  get(namespace: string, project: string): Promise<Project>;
  rename(namespace: string, project: Named, by: Actor): Promise<void>;
  /** From now on nobody finds it; its rows go bit by bit (project-sweeper). */
  remove(namespace: string, code: string, by: Actor): Promise<void>;
  countDrafts(projectId: number): Promise<{ redirects: number; pages: number }>;
}

export function createProjectStore(
  { read, write }: Database,
  onRemoved: (projectIds: readonly number[]) => void,
): ProjectStore {
  /** The codes may be used again at once. */
  const markRemoved = (trx: Transaction<Schema>, column: "id" | "namespace_id", id: number) =>
    trx
      .updateTable("project")
      .set((eb) => ({ removed: 1, code: sql<string>`'~' || ${eb.ref("id")}` }))
      .where(column, "=", id)
      .where("removed", "=", 0)
      .returning("id")
      .execute();

  return {
    createNamespace: (namespace, by) =>
      write.transaction().execute(async (trx) => {
        const insert = trx.insertInto("namespace").values({ ...namespace, created_at: Date.now() });
        await unlessTaken(insert.execute(), () =>
          errors.create("NAMESPACE_EXISTS", { code: namespace.code }),
        );
        await recordEvent(trx, { ...namespaceEvent("CREATE", by), data: { ...namespace } });
      }),
    namespaces: () =>
      read
        .selectFrom("namespace")
        .select(["code", "name"])
        .where("removed", "=", 0)
        .orderBy("code")
        .execute(),
    renameNamespace: ({ code, name }, by) =>
      write.transaction().execute(async (trx) => {
        const { id, name: before } = await namespaceOf(trx, code);
        await trx.updateTable("namespace").set({ name }).where("id", "=", id).execute();
        const data = { code, before, after: name };
        await recordEvent(trx, { ...namespaceEvent("UPDATE", by), data });
      }),
    async removeNamespace(code, by) {
      const ids = await write.transaction().execute(async (trx) => {
        const { id } = await namespaceOf(trx, code);
        const projects = await markRemoved(trx, "namespace_id", id);
        await trx
          .updateTable("namespace")
          .set({ removed: 1, code: `~${id}` })
          .where("id", "=", id)
          .execute();
        const data = { code, projects: projects.length };
        await recordEvent(trx, { ...namespaceEvent("DELETE", by), data });
        return projects.map((project) => project.id);
      });
      onRemoved(ids);
    },
    create: (namespace, { code, name }, by) =>
      write.transaction().execute(async (trx) => {
        const { id: namespaceId } = await namespaceOf(trx, namespace);
        const project_id = await nextProjectId(trx);
        const hash = sql<Uint8Array>`sha256('')`;
        const now = Date.now();
        const values = { id: project_id, namespace_id: namespaceId, code, name, hash, created_at: now };
        const insert = trx.insertInto("project").values(values).execute();
        await unlessTaken(insert, () => errors.create("PROJECT_EXISTS", { code }));
        await trx
          .insertInto("version")
          .values({ project_id, version: 1, hash, published_at: now, published_by: "", action: "CREATE" })
          .execute();
        await recordEvent(trx, { ...projectEvent("CREATE", by), data: { namespace, code, name } });
      }),
    async list(namespace) {
      const { id } = await namespaceOf(read, namespace);
      return read
        .selectFrom("project")
        .select(["code", "name"])
        .where("namespace_id", "=", id)
        .where("removed", "=", 0)
        .orderBy("code")
        .execute();
    },
    async get(namespace, project) {
      const row = await read
        .selectFrom("project")
        .innerJoin("namespace", "namespace.id", "project.namespace_id")
        .selectAll("project")
        .select("namespace.code as namespace")
        .where("namespace.code", "=", namespace)
        .where("project.code", "=", project)
        .where("project.removed", "=", 0)
        .executeTakeFirst();
      if (!row) throw errors.create("PROJECT_NOT_FOUND", { namespace, project });
      return row;
    },
    rename: (namespace, { code, name }, by) =>
      write.transaction().execute(async (trx) => {
        const { id, name: before } = await projectOf(trx, namespace, code);
        await trx.updateTable("project").set({ name }).where("id", "=", id).execute();
        const data = { namespace, code, before, after: name };
        await recordEvent(trx, { ...projectEvent("UPDATE", by), data });
      }),
    async remove(namespace, code, by) {
      const id = await write.transaction().execute(async (trx) => {
        const project = await projectOf(trx, namespace, code);
        await markRemoved(trx, "id", project.id);
        await recordEvent(trx, { ...projectEvent("DELETE", by), data: { namespace, code } });
        return project.id;
      });
      onRemoved([id]);
    },
    async countDrafts(projectId) {
      const rows = await read
        .selectFrom("draft")
        .select(["kind", (eb) => eb.fn.countAll<number>().as("count")])
        .where("project_id", "=", projectId)
        .groupBy("kind")
        .execute();
      const of = (kind: string): number => rows.find((row) => row.kind === kind)?.count ?? 0;
      return { redirects: of("redirect"), pages: of("page") };
    },
  };
}

type Change = "CREATE" | "UPDATE" | "DELETE";
const projectEvent = (action: Change, by: Actor) =>
  ({ projectId: null, resource: "PROJECT", action, by }) as const;
const namespaceEvent = (action: Change, by: Actor) =>
  ({ projectId: null, resource: "NAMESPACE", action, by }) as const;

async function namespaceOf(db: Pick<Database["read"], "selectFrom">, code: string) {
  const row = await db
    .selectFrom("namespace")
    .select(["id", "name"])
    .where("code", "=", code)
    .where("removed", "=", 0)
    .executeTakeFirst();
  if (!row) throw errors.create("NAMESPACE_NOT_FOUND", { namespace: code });
  return row;
}

async function projectOf(trx: Transaction<Schema>, namespace: string, code: string) {
  const row = await trx
    .selectFrom("project")
    .innerJoin("namespace", "namespace.id", "project.namespace_id")
    .select(["project.id", "project.name"])
    .where("namespace.code", "=", namespace)
    .where("project.code", "=", code)
    .where("project.removed", "=", 0)
    .executeTakeFirst();
  if (!row) throw errors.create("PROJECT_NOT_FOUND", { namespace, project: code });
  return row;
}

/** An id that no project had before: what is kept elsewhere under the id of a removed one never meets a new one. */
async function nextProjectId(trx: Transaction<Schema>): Promise<number> {
  const { value } = await trx
    .updateTable("counter")
    .set((eb) => ({ value: eb("value", "+", 1) }))
    .where("name", "=", "project")
    .returning("value")
    .executeTakeFirstOrThrow();
  return value;
}

/** Awaits an insertion; a key that exists becomes the given error. */
export async function unlessTaken<T>(insertion: Promise<T>, taken: () => Error): Promise<T> {
  try {
    return await insertion;
  } catch (error) {
    throw isUniqueViolation(error) ? taken() : error;
  }
}
