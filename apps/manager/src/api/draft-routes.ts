import { pageSchema, redirectSchema } from "@posthouse/protocol";
import type { ItemRow } from "../store/item.ts";
import { kinds, redirectOrPage } from "../store/item-values.ts";
import { allows } from "../store/permission.ts";
import type { Stores } from "../store/stores.ts";
import { type ProjectParams, requireProject, subjectOf } from "./auth.ts";
import { answers, listQuery, projectIdParams, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

/** Redirects and pages, and the drafts that change them. */
export function registerDraftRoutes(app: ManagementServer, stores: Stores): void {
  const { projects, items, drafts } = stores;
  const projectId = async ({ ns, prj }: ProjectParams): Promise<number> => (await projects.get(ns, prj)).id;

  for (const kind of kinds) {
    const url = `${projectUrl}/${kind}s`;
    const read = { access: { project: [{ resource: kind, action: "read" }] } } as const;
    const write = { access: { project: [{ resource: kind, action: "write" }] } } as const;
    app.get(
      url,
      {
        config: read,
        schema: { params: projectParams, querystring: listQuery, response: { 200: answers.items } },
      },
      async (request) => {
        const { limit, cursor, search } = request.query;
        const id = await projectId(request.params);
        return page(
          await items.list({ projectId: id, kind, after: cursor, limit: limit + 1, search }),
          limit,
          viewOf,
        );
      },
    );
    app.delete(
      `${url}/:id`,
      {
        config: write,
        schema: { params: projectIdParams, response: { 200: answers.draft, 204: answers.nothing } },
      },
      async (request, reply) => {
        const draft = await drafts.remove(await projectId(request.params), kind, request.params.id);
        return draft ? reply.send({ draft }) : reply.code(204).send(null);
      },
    );
  }
  const redirectWrite = { access: { project: [{ resource: "redirect", action: "write" }] } } as const;
  const pageWrite = { access: { project: [{ resource: "page", action: "write" }] } } as const;
  const created = { params: projectParams, response: { 201: answers.draft } };
  const updated = { params: projectIdParams, response: { 200: answers.draft } };
  app.post(
    `${projectUrl}/redirects`,
    { config: redirectWrite, schema: { ...created, body: redirectSchema } },
    async (request, reply) => {
      const draft = await drafts.createRedirect(await projectId(request.params), request.body);
      return reply.code(201).send({ draft });
    },
  );
  app.post(
    `${projectUrl}/pages`,
    { config: pageWrite, bodyLimit: pageBodyLimit, schema: { ...created, body: pageSchema } },
    async (request, reply) => {
      const draft = await drafts.createPage(await projectId(request.params), request.body);
      return reply.code(201).send({ draft });
    },
  );
  app.put(
    `${projectUrl}/redirects/:id`,
    { config: redirectWrite, schema: { ...updated, body: redirectSchema } },
    async (request) => ({
      draft: await drafts.updateRedirect(await projectId(request.params), request.params.id, request.body),
    }),
  );
  app.put(
    `${projectUrl}/pages/:id`,
    { config: pageWrite, bodyLimit: pageBodyLimit, schema: { ...updated, body: pageSchema } },
    async (request) => ({
      draft: await drafts.updatePage(await projectId(request.params), request.params.id, request.body),
    }),
  );

  app.get(
    `${projectUrl}/drafts`,
    {
      config: { access: { project: [{ resource: "any", action: "read" }] } },
      schema: { params: projectParams, querystring: listQuery, response: { 200: answers.drafts } },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { ns: namespace, prj: project } = request.params;
      const seen = kinds.filter((resource) =>
        allows(subjectOf(request), { namespace, project, resource, action: "read" }),
      );
      if (seen.length === 0) return { items: [] };
      return page(
        await drafts.list(await projectId(request.params), seen, cursor, limit + 1),
        limit,
        (draft) => draft,
      );
    },
  );
  app.delete(
    `${projectUrl}/drafts/:id`,
    {
      config: { access: { project: [{ resource: "any", action: "write" }] } },
      schema: { params: projectIdParams, response: { 204: answers.nothing } },
    },
    async (request, reply) => {
      const { kind, id } = await drafts.get(await projectId(request.params), request.params.id);
      requireProject(subjectOf(request), request.params, { resource: kind, action: "write" });
      await drafts.discard(await projectId(request.params), id);
      return reply.code(204).send(null);
    },
  );
}

/** Room for any page that `limits.page` may allow, written as JSON. */
const pageBodyLimit = 64 * 1024 * 1024;

function viewOf(row: ItemRow) {
  return { id: row.id, ...redirectOrPage(row), draft: row.draft };
}

/** One row more than `limit` was asked for: when it is there, `next` is where to go on. */
function page<R extends { readonly id: number }, T>(
  rows: readonly R[],
  limit: number,
  view: (row: R) => T,
): { items: T[]; next?: number } {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(view), ...(rows.length > limit && last ? { next: last.id } : {}) };
}
