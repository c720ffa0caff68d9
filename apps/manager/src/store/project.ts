import { type Selectable, sql } from "kysely";
import type { Database } from "../database/database.ts";
import type { ProjectTable } from "../database/schema.ts";
import { isUniqueViolation } from "../database/sqlite-error.ts";
import { errors } from "../errors.ts";

/** A project with the code of its namespace. */
export type Project = Selectable<ProjectTable> & { readonly namespace: string };

export interface Named {
  readonly code: string;
  readonly name: string;
}

/** Namespaces and the projects in them. */
export interface ProjectStore {
  createNamespace(namespace: Named): Promise<void>;
  namespaces(): Promise<Named[]>;
  create(namespace: string, project: Named): Promise<void>;
  list(namespace: string): Promise<Named[]>;
  /** @throws PROJECT_NOT_FOUND */
  get(namespace: string, project: string): Promise<Project>;
  countDrafts(projectId: number): Promise<{ redirects: number; pages: number }>;
}

export function createProjectStore({ read, write }: Database): ProjectStore {
  const namespaceId = async (code: string): Promise<number> => {
    const row = await read.selectFrom("namespace").select("id").where("code", "=", code).executeTakeFirst();
    if (!row) throw errors.create("NAMESPACE_NOT_FOUND", { namespace: code });
    return row.id;
  };
  return {
    async createNamespace({ code, name }) {
      const insert = write.insertInto("namespace").values({ code, name, created_at: Date.now() });
      await unlessTaken(insert.execute(), () => errors.create("NAMESPACE_EXISTS", { code }));
    },
    namespaces: () => read.selectFrom("namespace").select(["code", "name"]).orderBy("code").execute(),
    async create(namespace, { code, name }) {
      const namespace_id = await namespaceId(namespace);
      const hash = sql<Uint8Array>`sha256('')`;
      const now = Date.now();
      const insert = write.transaction().execute(async (trx) => {
        const { id: project_id } = await trx
          .insertInto("project")
          .values({ namespace_id, code, name, hash, created_at: now })
          .returning("id")
          .executeTakeFirstOrThrow();
        await trx
          .insertInto("version")
          .values({ project_id, version: 1, hash, published_at: now, published_by: "", action: "CREATE" })
          .execute();
      });
      await unlessTaken(insert, () => errors.create("PROJECT_EXISTS", { code }));
    },
    async list(namespace) {
      const id = await namespaceId(namespace);
      return read
        .selectFrom("project")
        .select(["code", "name"])
        .where("namespace_id", "=", id)
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
        .executeTakeFirst();
      if (!row) throw errors.create("PROJECT_NOT_FOUND", { namespace, project });
      return row;
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

/** Awaits an insertion; a key that exists becomes the given error. */
export async function unlessTaken<T>(insertion: Promise<T>, taken: () => Error): Promise<T> {
  try {
    return await insertion;
  } catch (error) {
    throw isUniqueViolation(error) ? taken() : error;
  }
}
